#include "base/one_shot.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>

#include "base/task_group.h"

namespace hearth {
namespace {

// The references are of the test, which outlives the loop.
// NOLINTNEXTLINE(*-reference-coroutine-parameters)
boost::asio::awaitable<void> take(OneShot<std::unique_ptr<int>>& value, std::optional<int>& seen, bool& ended) {
  auto got = co_await value.wait();
  if (got) seen = **got;
  ended = true;
}

struct OneShotTest : testing::Test {
  boost::asio::io_context loop;
  TaskGroup tasks{loop.get_executor()};
  OneShot<std::unique_ptr<int>> value;
  std::optional<int> seen;
  bool ended = false;
};

TEST_F(OneShotTest, ResumesTheWaiterOnTheSettersStack) {
  tasks.spawn("take", take(value, seen, ended));
  loop.poll();
  EXPECT_TRUE(value.has_waiter());
  value.set(std::make_unique<int>(7));
  EXPECT_EQ(seen, 7);
  value.set(std::make_unique<int>(8));
  loop.run();
  EXPECT_EQ(seen, 7);
}

TEST_F(OneShotTest, AValueThatIsThereIsNotWaitedFor) {
  value.set(std::make_unique<int>(7));
  tasks.spawn("take", take(value, seen, ended));
  loop.run();
  EXPECT_EQ(seen, 7);
}

TEST_F(OneShotTest, CancellationEndsTheWaitWithoutAValue) {
  tasks.spawn("take", take(value, seen, ended));
  loop.poll();
  tasks.stop();
  loop.run();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(seen.has_value());
  EXPECT_EQ(tasks.size(), 0u);
}

}  // namespace
}  // namespace hearth
