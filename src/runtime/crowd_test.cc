#include "runtime/crowd.h"

#include <gtest/gtest.h>

namespace hearth::runtime {
namespace {

using namespace std::chrono_literals;

constexpr size_t kCpus = 2;
constexpr size_t kFull = Crowd::kBusyEachCpu * kCpus;
constexpr Crowd::Policy kPolicy;
const MonotonicTime kStart = MonotonicTime{} + 1h;

TEST(Crowd, WaitsForQuickHandlersWhereManyRun) {
  Crowd crowd(kPolicy);
  EXPECT_FALSE(crowd.is_worth_waiting(kFull, kCpus, kStart)) << "nothing is known yet";
  crowd.ran(100us, kStart);
  EXPECT_TRUE(crowd.is_worth_waiting(kFull, kCpus, kStart));
  EXPECT_FALSE(crowd.is_worth_waiting(kFull - 1, kCpus, kStart));
}

TEST(Crowd, DoesNotWaitForSlowHandlers) {
  Crowd crowd(kPolicy);
  crowd.ran(kPolicy.quick + 1us, kStart);
  EXPECT_FALSE(crowd.is_worth_waiting(kFull, kCpus, kStart));
}

TEST(Crowd, ForgetsThatAHandlerWasQuick) {
  Crowd crowd(kPolicy);
  crowd.ran(100us, kStart);
  int calls = 0;
  for (; calls < 1000 && crowd.is_worth_waiting(kFull, kCpus, kStart); ++calls) crowd.ran(50ms, kStart);
  EXPECT_GT(calls, 10) << "one slow call says little: the crowd itself makes them slow";
  EXPECT_LT(calls, 200);
}

TEST(Crowd, IsPatientWhileHandlersEndAndNotForEver) {
  Crowd crowd(kPolicy);
  crowd.ran(100us, kStart);
  EXPECT_EQ(crowd.patience_ends(kStart + 1ms), kStart + 1ms + kPolicy.patience) << "the wait began after that";
  crowd.ran(100us, kStart + 5ms);
  EXPECT_EQ(crowd.patience_ends(kStart + 1ms), kStart + 5ms + kPolicy.patience);
  crowd.ran(100us, kStart + 99ms);
  EXPECT_EQ(crowd.patience_ends(kStart + 1ms), kStart + 1ms + kPolicy.longest_wait);
}

TEST(Crowd, RestsAfterAWaitInVain) {
  Crowd crowd(kPolicy);
  crowd.ran(100us, kStart);
  crowd.waited_in_vain(kStart);
  EXPECT_FALSE(crowd.is_worth_waiting(kFull, kCpus, kStart + kPolicy.rest - 1ns));
  EXPECT_TRUE(crowd.is_worth_waiting(kFull, kCpus, kStart + kPolicy.rest));
}

}  // namespace
}  // namespace hearth::runtime
