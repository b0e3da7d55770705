#include "base/task_group.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hearth {
namespace {

namespace asio = boost::asio;

asio::awaitable<void> wait_for_ever(int* ended) {
  struct AtEnd {
    int* ended;
    ~AtEnd() { ++*ended; }
  } at_end{ended};
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> stop_and_join(TaskGroup* group, bool* joined) {
  group->stop();
  co_await group->join();
  *joined = true;
}

TEST(TaskGroup, StopEndsEveryTaskAndJoinWaitsForThem) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  int ended = 0;
  bool joined = false;
  for (int i = 0; i < 3; ++i) group.spawn("waiter", wait_for_ever(&ended));
  loop.poll();
  EXPECT_EQ(group.size(), 3u);
  asio::co_spawn(loop, stop_and_join(&group, &joined), asio::detached);
  loop.run();
  EXPECT_EQ(ended, 3);
  EXPECT_TRUE(joined);
  group.spawn("late", wait_for_ever(&ended));
  EXPECT_EQ(group.size(), 0u);
}

asio::awaitable<void> go_once_around() { co_await asio::post(asio::use_awaitable); }

TEST(TaskGroup, ATaskMayEndBetweenStopAndTheLoopsNextTurn) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  group.spawn("short", go_once_around());
  loop.poll_one();
  ASSERT_EQ(group.size(), 1u);
  group.stop();
  loop.restart();
  loop.run();
  EXPECT_EQ(group.size(), 0u);
}

}  // namespace
}  // namespace hearth
