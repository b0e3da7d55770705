#include "base/byte_budget.h"

#include <gtest/gtest.h>

#include <optional>

namespace hearth {
namespace {

TEST(ByteBudget, WhatIsTakenComesBackWithItsHandle) {
  ByteBudget budget(100, 100);
  auto first = budget.take("a", 60);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(budget.take("b", 41), nullptr);
  auto second = budget.take("b", 40);
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(budget.out(), 100U);
  first.reset();
  EXPECT_EQ(budget.out(), 40U);
  EXPECT_NE(budget.take("b", 60), nullptr);
}

TEST(ByteBudget, OneOwnerLeavesTheOthersTheirs) {
  ByteBudget budget(100, 50);
  auto first = budget.take("a", 30);
  EXPECT_EQ(budget.take("a", 21), nullptr);
  EXPECT_EQ(budget.take("b", 51), nullptr);
  auto copy = first;
  first.reset();
  EXPECT_EQ(budget.take("a", 21), nullptr);  // the copy holds it
  copy.reset();
  EXPECT_NE(budget.take("a", 50), nullptr);
  EXPECT_EQ(budget.out(), 0U);
}

TEST(ByteBudget, AHandleMayOutliveIt) {
  std::optional<ByteBudget> budget(std::in_place, 10, 10);
  auto held = budget->take("a", 10);
  budget.reset();
  held.reset();
}

}  // namespace
}  // namespace hearth
