#include "runtime/demand.h"

#include <gtest/gtest.h>

namespace hearth::runtime {
namespace {

using namespace std::chrono_literals;
const MonotonicTime kStart{1000h};

TEST(DemandMeter, WantsNothingWithoutTakes) {
  DemandMeter demand;
  EXPECT_EQ(demand.wanted(kStart, 0.01), 0);
}

TEST(DemandMeter, ABurstIsRememberedForAMinuteAndThenForgotten) {
  DemandMeter demand;
  for (int i = 0; i < 50; ++i) demand.taken(kStart);
  EXPECT_EQ(demand.wanted(kStart + 59s, 0.01), 50);
  EXPECT_EQ(demand.wanted(kStart + 61s, 0.01), 0);
}

TEST(DemandMeter, ASteadyRateWantsWhatIsTakenWhileTwoAreMade) {
  DemandMeter demand;
  auto now = kStart;
  for (int i = 0; i < 1500; ++i) demand.taken(now += 10ms);  // 100/s
  EXPECT_NEAR(demand.rate(now), 100, 1.5);
  EXPECT_NEAR(static_cast<double>(demand.wanted(now, 0.5)), 100, 2);
  EXPECT_NEAR(static_cast<double>(demand.wanted(now, 0.001)), 10, 1);  // the takes of one slot
}

}  // namespace
}  // namespace hearth::runtime
