// The invoker and restarts: of the warden, of hearthd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/invoker_fixture_test.h"

namespace hearth::runtime {
namespace {

using namespace std::chrono_literals;
using warden::ContainerState;

class InvokerWardenTest : public InvokerFixture {
 protected:
  void disconnect() {
    warden.is_connected = false;
    warden.hooks.on_disconnected();
  }
  void reconnect() {
    warden.is_connected = true;
    warden.hooks.on_connected(warden::HelloReply{warden::kProtocolVersion, {"python3.11"}, "v1"});
  }
};

TEST_F(InvokerWardenTest, AtStartWarmContainersAreAdoptedAndBoundOnesKilled) {
  const auto warm = warden.leave(ContainerState::warm);
  const auto bound = warden.leave(ContainerState::bound);
  config.pool_min = 1;
  start();
  run_until([&] { return stock() == 1 && warden.killed.size() == 1; });
  EXPECT_EQ(warden.adopts, 1u);
  EXPECT_EQ(warden.makes, 0u);
  EXPECT_EQ(warden.killed[0], bound);
  const auto key = add("echo");
  EXPECT_EQ(invoke(key, "1").payload, "1");
  EXPECT_EQ(warden.binds[0].container, warm);
}

TEST_F(InvokerWardenTest, AWarmContainerThatCantBeAdoptedIsKilled) {
  const auto warm = warden.leave(ContainerState::warm);
  warden.adopt_failure = Error{Kind::internal, "its descriptors are gone"};
  config.pool_min = 1;
  start();
  run_until([&] { return stock() == 1 && warden.killed.size() == 1; });
  EXPECT_EQ(warden.killed[0], warm);
  EXPECT_FALSE(warden.containers.contains(warm));
  run_until([&] { return invoker->pool_status().at("containers") == 1; });
}

TEST_F(InvokerWardenTest, AWardenThatRestartsKeepsInstancesAndTheOnesItLostAreGone) {
  start();
  const auto kept = add("echo");
  const auto lost = add("version");
  const auto running = add("silent", [](Function& f) { f.timeout_seconds = 60; });
  invoke(kept, "1");
  invoke(lost);
  const auto index = begin(running);
  run_until([&] { return warden.binds.size() == 3 && stock() >= 2; });
  disconnect();
  EXPECT_EQ(invoke(kept, "2").payload, "2");  // needs no warden
  warden.lose(warden.binds[1].container);
  warden.lose(warden.binds[2].container);
  reconnect();
  run_until([&] { return done(index); });
  ASSERT_NE(answer(index), nullptr);
  EXPECT_EQ(answer(index)->function_error, "Unhandled");
  EXPECT_EQ(invoke(kept, "3").payload, "3");
  invoke(lost);
  EXPECT_EQ(warden.binds.size(), 4u);
  EXPECT_TRUE(warden.killed.empty());
}

TEST_F(InvokerWardenTest, AColdStartWaitsForAWardenThatRestarts) {
  start();
  run_until([&] { return stock() == 2; });
  const auto key = add("echo");
  disconnect();
  const auto index = begin(key, "1");
  run_until([&] { return loop.poll_one() == 0; });
  EXPECT_FALSE(done(index));
  reconnect();
  run_until([&] { return done(index); });
  ASSERT_NE(answer(index), nullptr);
}

TEST_F(InvokerWardenTest, AMakeThatFailsIsToldToWhoWaitsAndTriedAgainLater) {
  config.pool_min = 0;
  start();
  const auto key = add("echo");
  warden.make_failure = Error{Kind::internal, "no more namespaces"};
  EXPECT_EQ(invoke(key).payload, "error: no more namespaces");
  warden.make_failure.reset();
  EXPECT_EQ(invoke(key, "1").payload, "1");
}

TEST_F(InvokerWardenTest, ThePoolGrowsWithABurstUpToItsLimit) {
  start();
  run_until([&] { return stock() == 2; });
  const auto key = add("sleep");
  for (int i = 0; i < 5; ++i) begin(key, "20");
  run_until([&] { return stock() == 7; });
  for (int i = 0; i < 30; ++i) begin(key, "20");
  run_until([&] { return std::ranges::all_of(outcomes, [](const auto& one) { return one.has_value(); }); });
  run_until([&] { return stock() == 8; });  // pool.max
}

TEST_F(InvokerWardenTest, AWarmContainerThatDiesIsReplaced) {
  start();
  run_until([&] { return stock() == 2; });
  const auto victim = warden.containers.begin()->first;
  warden.lose(victim);
  warden.hooks.on_container_gone(warden::ContainerGone{victim, "signaled", 9, false});
  run_until([&] { return stock() == 2 && warden.makes == 3; });
}

}  // namespace
}  // namespace hearth::runtime
