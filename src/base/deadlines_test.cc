#include "base/deadlines.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <vector>

namespace hearth {
namespace {

using namespace std::chrono_literals;

TEST(Deadlines, RunInOrderOfTime) {
  boost::asio::io_context loop;
  Deadlines deadlines(loop.get_executor());
  const auto now = std::chrono::steady_clock::now();
  std::vector<int> seen;
  Deadlines::Handle a, b, c;
  deadlines.set(a, now + 3ms, [&] { seen.push_back(3); });
  deadlines.set(b, now + 1ms, [&] { seen.push_back(1); });
  deadlines.set(c, now + 2ms, [&] { seen.push_back(2); });
  loop.run();
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(a.armed());
}

TEST(Deadlines, RemovedAndReplacedDeadlinesDoNotRun) {
  boost::asio::io_context loop;
  Deadlines deadlines(loop.get_executor());
  const auto now = std::chrono::steady_clock::now();
  int first = 0, second = 0, third = 0;
  Deadlines::Handle a, b;
  deadlines.set(a, now + 1ms, [&] { ++first; });
  deadlines.set(b, now + 1ms, [&] { ++second; });
  deadlines.remove(a);
  deadlines.set(b, now + 2ms, [&] { ++third; });
  EXPECT_EQ(deadlines.size(), 1u);
  loop.run();
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 0);
  EXPECT_EQ(third, 1);
}

TEST(Deadlines, AnActionMaySetItsOwnHandleAgainAndRemoveOthers) {
  boost::asio::io_context loop;
  Deadlines deadlines(loop.get_executor());
  const auto now = std::chrono::steady_clock::now();
  int again = 0, other = 0;
  Deadlines::Handle a, b;
  deadlines.set(b, now + 2ms, [&] { ++other; });
  deadlines.set(a, now + 1ms, [&] {
    deadlines.remove(b);
    deadlines.set(a, now + 3ms, [&] { ++again; });
  });
  loop.run();
  EXPECT_EQ(again, 1);
  EXPECT_EQ(other, 0);
}

TEST(Deadlines, MayBeDestroyedWhileTheTimerIsSet) {
  boost::asio::io_context loop;
  int ran = 0;
  Deadlines::Handle a;
  {
    Deadlines deadlines(loop.get_executor());
    deadlines.set(a, std::chrono::steady_clock::now() + 1ms, [&] { ++ran; });
  }
  loop.run();
  EXPECT_EQ(ran, 0);
}

}  // namespace
}  // namespace hearth
