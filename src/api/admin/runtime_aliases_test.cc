#include "api/admin/runtime_aliases.h"

#include <gtest/gtest.h>

#include "api/admin/world_under_test.h"

namespace hearth::api::admin {
namespace {

class RuntimeAliasesTest : public testing::Test {
 protected:
  std::unique_ptr<RuntimeAliases> load() {
    auto loading = RuntimeAliases::load(world_.registry, {{"python3.9", "python3.11"}},
                                        [this](const RuntimeAliases::Map& all) { told_ = all; });
    return World::must(world_.run(std::move(loading)));
  }

  World world_;
  RuntimeAliases::Map told_;
};

TEST_F(RuntimeAliasesTest, AddsToTheConfiguredOnesAndSurvives) {
  auto aliases = load();
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_TRUE(world_.run(aliases->set("python3.13", "python3.11")));
  EXPECT_TRUE(world_.run(aliases->set("python3.9", "python3.12")));
  EXPECT_EQ(told_.at("python3.9"), "python3.12");
  auto again = load();
  EXPECT_EQ(again->resolve("python3.13"), "python3.11");
  EXPECT_EQ(again->resolve("python3.9"), "python3.12");
  EXPECT_EQ(again->resolve("python3.11"), "python3.11");
  EXPECT_TRUE(world_.run(again->remove("python3.9")));
  EXPECT_EQ(again->resolve("python3.9"), "python3.11");
  EXPECT_EQ(world_.run(again->remove("python3.9")).error().kind, Kind::conflict);
  EXPECT_EQ(world_.run(again->remove("python3.1")).error().kind, Kind::not_found);
}

TEST_F(RuntimeAliasesTest, ChangesNothingThatIsNotDurable) {
  auto aliases = load();
  world_.registry.refuses = true;
  EXPECT_FALSE(world_.run(aliases->set("a", "b")));
  EXPECT_EQ(aliases->resolve("a"), "a");
}

TEST_F(RuntimeAliasesTest, RefusesBadNamesAndTooMany) {
  auto aliases = load();
  EXPECT_EQ(world_.run(aliases->set("A", "b")).error().kind, Kind::invalid);
  EXPECT_EQ(world_.run(aliases->set("a", "")).error().kind, Kind::invalid);
  EXPECT_EQ(world_.run(aliases->set("a", "a")).error().kind, Kind::invalid);
  EXPECT_EQ(world_.run(aliases->set(std::string(65, 'a'), "b")).error().kind, Kind::invalid);
  for (size_t i = 0; i < RuntimeAliases::kMaxAliases; ++i) {
    ASSERT_TRUE(world_.run(aliases->set("a" + std::to_string(i), "b")));
  }
  EXPECT_EQ(world_.run(aliases->set("one-more", "b")).error().kind, Kind::exhausted);
  EXPECT_TRUE(world_.run(aliases->set("a0", "c")));
}

TEST_F(RuntimeAliasesTest, RefusesOneOfTwoChangesAtTheSameTime) {
  auto first = load();
  auto second = load();
  EXPECT_TRUE(world_.run(first->set("a", "b")));
  EXPECT_EQ(world_.run(second->set("c", "d")).error().kind, Kind::conflict);
}

}  // namespace
}  // namespace hearth::api::admin
