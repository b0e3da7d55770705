#include "runtime/crowd.h"

#include <gtest/gtest.h>

namespace hearth::runtime {
namespace {

using namespace std::chrono_literals;

constexpr size_t kCpus = 2;
constexpr size_t kFull = Crowd::kBusyEachCpu * kCpus;
const MonotonicTime kStart = MonotonicTime{} + 1h;

TEST(Crowd, WaitsForQuickHandlersWhereManyRun) {
  Crowd crowd;
  EXPECT_FALSE(crowd.is_worth_waiting(kFull, kCpus, kStart)) << "nothing is known yet";
  crowd.ran(100us, kStart);
  EXPECT_TRUE(crowd.is_worth_waiting(kFull, kCpus, kStart));
  EXPECT_FALSE(crowd.is_worth_waiting(kFull - 1, kCpus, kStart));
}

TEST(Crowd, DoesNotWaitForSlowHandlers) {
  Crowd crowd;
  crowd.ran(Crowd::kQuick + 1us, kStart);
  EXPECT_FALSE(crowd.is_worth_waiting(kFull, kCpus, kStart));
}

TEST(Crowd, ForgetsThatAHandlerWasQuick) {
  Crowd crowd;
  crowd.ran(100us, kStart);
  int calls = 0;
  for (; calls < 1000 && crowd.is_worth_waiting(kFull, kCpus, kStart); ++calls) crowd.ran(50ms, kStart);
  EXPECT_GT(calls, 10) << "one slow call says little: the crowd itself makes them slow";
  EXPECT_LT(calls, 200);
}

TEST(Crowd, IsPatientWhileHandlersEndAndNotForEver) {
  Crowd crowd;
  crowd.ran(100us, kStart);
  EXPECT_EQ(crowd.patience_ends(kStart + 1ms), kStart + 1ms + Crowd::kPatience) << "the wait began after that";
  crowd.ran(100us, kStart + 5ms);
  EXPECT_EQ(crowd.patience_ends(kStart + 1ms), kStart + 5ms + Crowd::kPatience);
  crowd.ran(100us, kStart + 99ms);
  EXPECT_EQ(crowd.patience_ends(kStart + 1ms), kStart + 1ms + Crowd::kLongestWait);
}

TEST(Crowd, RestsAfterAWaitInVain) {
  Crowd crowd;
  crowd.ran(100us, kStart);
  crowd.waited_in_vain(kStart);
  EXPECT_FALSE(crowd.is_worth_waiting(kFull, kCpus, kStart + Crowd::kRest - 1ns));
  EXPECT_TRUE(crowd.is_worth_waiting(kFull, kCpus, kStart + Crowd::kRest));
}

}  // namespace
}  // namespace hearth::runtime
