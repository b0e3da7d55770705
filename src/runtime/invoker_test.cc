// How invocations go: starts, answers, failures, limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runtime/crowd.h"
#include "runtime/invoker_fixture_test.h"

namespace hearth::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class InvokerTest : public InvokerFixture {
 protected:
  InvokerTest() { start(); }
  void fill_pool() {
    run_until([&] { return stock() == static_cast<size_t>(config.pool_min); });
  }
};

TEST_F(InvokerTest, TheFirstCallTakesAWarmContainerAndTheNextOneUsesItAgain) {
  const auto key = add("echo");
  fill_pool();
  EXPECT_EQ(invoke(key, R"({"a":1})").payload, R"({"a":1})");
  EXPECT_EQ(invoke(key, "2").payload, "2");
  EXPECT_EQ(warden.binds.size(), 1u);
  const auto recent = invoker->recent(std::nullopt, 10);
  ASSERT_EQ(recent.size(), 2u);
  EXPECT_EQ(recent[0].start, Start::warm);
  EXPECT_EQ(recent[1].start, Start::pool_hit);
  EXPECT_EQ(recent[1].phases.mount, 1000);
  EXPECT_GT(recent[1].phases.shim, 0);
  EXPECT_GT(recent[1].phases.handler, 0);
  EXPECT_EQ(recent[1].phases.make, 0);
  EXPECT_EQ(recent[0].phases.bind, 0);
  EXPECT_EQ(recent[0].outcome, "ok");
  run_until([&] { return stock() >= 2; });  // refilled
}

TEST_F(InvokerTest, WithAnEmptyPoolAContainerIsMadeOnTheWay) {
  stop();
  config.pool_min = 0;
  config.pool_runtimes = {};
  start();
  const auto key = add("echo");
  EXPECT_EQ(invoke(key, "1").payload, "1");
  const auto recent = invoker->recent(key, 1);
  ASSERT_EQ(recent.size(), 1u);
  EXPECT_EQ(recent[0].start, Start::pool_miss);
  EXPECT_GT(recent[0].phases.make, 0);
}

TEST_F(InvokerTest, TheBindSaysWhatTheFunctionNeeds) {
  const auto key = add("echo", [](Function& f) {
    f.memory_mib = 256;
    f.timeout_seconds = 7;
    f.environment = {{"COLOUR", "blue"}, {"AWS_REGION", "mars-1"}, {"TZ", "Europe/Berlin"}};
  });
  invoke(key);
  ASSERT_EQ(warden.binds.size(), 1u);
  const auto& bind = warden.binds[0];
  EXPECT_EQ(bind.package.str(), std::string(64, 'a'));
  EXPECT_EQ(bind.memory_mib, 256);
  EXPECT_EQ(bind.attachment, "outside");
  const auto start = json::parse(bind.start);
  EXPECT_EQ(start.at("version"), 1);
  EXPECT_EQ(start.at("handler"), "echo");
  const auto& environment = start.at("environment").as_object();
  EXPECT_EQ(environment.at("COLOUR"), "blue");
  EXPECT_EQ(environment.at("TZ"), "Europe/Berlin");
  EXPECT_EQ(environment.at("AWS_REGION"), "us-east-1");
  EXPECT_EQ(environment.at("AWS_ACCESS_KEY_ID"), "AKIATEST");
  EXPECT_EQ(environment.at("AWS_LAMBDA_FUNCTION_NAME"), "echo");
  EXPECT_EQ(environment.at("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), "256");
  EXPECT_EQ(environment.at("AWS_LAMBDA_RUNTIME_API"), "127.0.0.1:9001");
  EXPECT_EQ(environment.at("AWS_ENDPOINT_URL"), "http://127.0.0.1:9002");
  EXPECT_EQ(environment.at("AWS_EXECUTION_ENV"), "AWS_Lambda_python3.11");
  EXPECT_THAT(std::string(environment.at("AWS_LAMBDA_LOG_STREAM_NAME").as_string()), HasSubstr("/[$LATEST]"));
  EXPECT_EQ(endpoints, 1u);
}

TEST_F(InvokerTest, AnAliasedRuntimeTakesItsTargetsContainersAndAnotherOneIsRefused) {
  const auto aliased = add("echo", [](Function& f) { f.runtime = "python3.13"; });
  EXPECT_EQ(invoke(aliased, "1").payload, "1");
  const auto missing = add("missing", [](Function& f) { f.runtime = "nodejs22.x"; });
  EXPECT_EQ(invoke(missing).payload, "error: Runtime nodejs22.x is not installed here");
}

TEST_F(InvokerTest, ABurstOfColdStartsIsServedWhole) {
  warden.make_time = 2ms;
  const auto key = add("sleep");
  fill_pool();
  for (int i = 0; i < 50; ++i) begin(key, "30");
  run_until([&] { return std::ranges::all_of(outcomes, [](const auto& one) { return one.has_value(); }); });
  for (size_t i = 0; i < outcomes.size(); ++i) {
    ASSERT_NE(answer(i), nullptr);
    EXPECT_EQ(answer(i)->payload, "30");
  }
  EXPECT_LE(warden.binds.size(), 50u);
  EXPECT_LE(warden.most_making, 16u);
  for (const auto& [id, container] : warden.containers)
    if (container->info.state == warden::ContainerState::bound) EXPECT_EQ(container->bound.package.str().size(), 64u);
}

TEST_F(InvokerTest, ManyCallsOfAQuickHandlerShareFewInstances) {
  stop();
  crowd = {.quick = 1h, .patience = 1h, .longest_wait = 1h};  // however slow the machine is
  start();
  const auto key = add("sleep");
  fill_pool();
  begin(key, "0");
  run_until([&] { return outcomes[0].has_value(); });
  for (int i = 0; i < 300; ++i) begin(key, "0");
  run_until([&] { return std::ranges::all_of(outcomes, [](const auto& one) { return one.has_value(); }); });
  EXPECT_LE(warden.binds.size(), Crowd::kBusyEachCpu * std::thread::hardware_concurrency() + 1);
}

TEST_F(InvokerTest, ACallIsNotHeldUpBySlowOnesOfAHandlerThatWasQuick) {
  const auto key = add("sleep");
  fill_pool();
  begin(key, "0");
  run_until([&] { return outcomes[0].has_value(); });
  const size_t most_busy = Crowd::kBusyEachCpu * std::thread::hardware_concurrency();
  for (size_t i = 0; i < most_busy; ++i) begin(key, "3000");
  begin(key, "1");
  run_until([&] { return outcomes.back().has_value(); });
  EXPECT_EQ(answer(outcomes.size() - 1)->payload, "1");
  EXPECT_FALSE(outcomes[1].has_value());
}

TEST_F(InvokerTest, AThousandCallsToAFunctionLimitedToOneAreOneAnswerAndThrottles) {
  const auto key = add("sleep", [](Function& f) { f.reserved_concurrency = 1; });
  for (int i = 0; i < 1000; ++i) begin(key, "50");
  run_until([&] { return std::ranges::all_of(outcomes, [](const auto& one) { return one.has_value(); }); });
  size_t answered = 0, throttled = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    ASSERT_TRUE(*outcomes[i]);
    if (answer(i) != nullptr) {
      ++answered;
    } else {
      EXPECT_EQ(std::get<Throttled>(**outcomes[i]).reason, "ReservedFunctionConcurrentInvocationLimitExceeded");
      ++throttled;
    }
  }
  EXPECT_EQ(answered, 1u);
  EXPECT_EQ(throttled, 999u);
  EXPECT_EQ(warden.binds.size(), 1u);
  EXPECT_EQ(invoke(key, "1").payload, "1");  // the place is free again
}

TEST_F(InvokerTest, ReservedZeroBlocksAll) {
  const auto key = add("echo", [](Function& f) { f.reserved_concurrency = 0; });
  EXPECT_EQ(invoke(key).payload, "throttled: ReservedFunctionConcurrentInvocationLimitExceeded");
  EXPECT_TRUE(warden.binds.empty());
}

TEST_F(InvokerTest, TheAccountsLimitLessReservationsHoldsForAllOthers) {
  stop();
  config.concurrency = 5;
  config.unreserved_minimum = 1;
  start();
  const auto key = add("sleep");
  add("other", [](Function& f) { f.reserved_concurrency = 2; });
  for (int i = 0; i < 4; ++i) begin(key, "50");
  run_until([&] { return done(3); });
  ASSERT_TRUE(*outcomes[3]);
  EXPECT_EQ(std::get<Throttled>(**outcomes[3]).reason, "ConcurrentInvocationLimitExceeded");
  run_until([&] { return done(0) && done(1) && done(2); });
  EXPECT_NE(answer(2), nullptr);
}

TEST_F(InvokerTest, WhatPostsAnErrorIsAnAnswerWithFunctionError) {
  const auto key = add("error");
  const auto got = invoke(key);
  EXPECT_EQ(got.function_error, "Unhandled");
  EXPECT_EQ(got.payload, R"({"errorMessage":"no","errorType":"ValueError"})");
  EXPECT_EQ(invoker->recent(key, 1)[0].outcome, "error");
  invoke(key);
  EXPECT_EQ(warden.binds.size(), 1u);  // the instance is still good
}

TEST_F(InvokerTest, ATimeoutIsTheSandboxesErrorAndTheContainerIsNeverUsedAgain) {
  const auto key = add("silent", [](Function& f) { f.timeout_seconds = 1; });
  const auto got = invoke(key);
  EXPECT_EQ(got.function_error, "Unhandled");
  EXPECT_EQ(got.payload, R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: )" + got.request_id +
                             R"( Error: Task timed out after 1.00 seconds"})");
  EXPECT_THAT(warden.killed, ElementsAre(warden.binds[0].container));
  EXPECT_EQ(invoker->recent(key, 1)[0].outcome, "timeout");
  EXPECT_EQ(endpoints_ended, 1u);
  begin(key);
  run_until([&] { return warden.binds.size() == 2; });
  EXPECT_NE(warden.binds[0].container, warden.binds[1].container);
}

TEST_F(InvokerTest, AnAnswerAfterTheDeadlineIsNeverTaken) {
  const auto key = add("sleep", [](Function& f) { f.timeout_seconds = 1; });
  EXPECT_THAT(invoke(key, "1300").payload, HasSubstr("Sandbox.Timedout"));
  EXPECT_EQ(invoke(key, "1").payload, "1");
  EXPECT_EQ(warden.binds.size(), 2u);
}

TEST_F(InvokerTest, HowManyWaitForAnInstanceIsBounded) {
  stop();
  config.concurrency = 100'000;
  warden.make_time = 1h;
  start();
  const auto key = add("echo");
  for (size_t i = 0; i <= InvokerService::kMaxWaiting; ++i) begin(key);
  const auto last = outcomes.size() - 1;
  run_until([&] { return done(last); });
  ASSERT_FALSE(*outcomes[last]);
  EXPECT_EQ(outcomes[last]->error().kind, Kind::exhausted);
  EXPECT_FALSE(done(last - 1));
}

TEST_F(InvokerTest, ADeletedFunctionsInstancesEndAndItsCallsAreRefused) {
  const auto key = add("echo");
  invoke(key);
  functions.table.erase(key);
  invoker->replace_instances(key);
  run_until([&] { return !warden.containers.contains(warden.binds[0].container); });
  EXPECT_THAT(invoke(key).payload, HasSubstr("error: Function not found"));
}

TEST_F(InvokerTest, ACrashTellsHowTheRuntimeEnded) {
  const auto key = add("crash");
  auto got = invoke(key);
  EXPECT_EQ(got.payload, R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: )" + got.request_id +
                             R"( Error: Runtime exited with error: exit status 127"})");
  EXPECT_EQ(invoker->recent(key, 1)[0].outcome, "crash");
  const auto oom = add("oom");
  got = invoke(oom);
  EXPECT_EQ(got.payload, R"({"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: )" + got.request_id +
                             R"( Error: Runtime exited with error: signal: killed"})");
  invoke(key);
  EXPECT_EQ(warden.binds.size(), 3u);
  run_until([&] { return warden.containers.size() == stock(); });  // nothing bound is left
}

TEST_F(InvokerTest, AFailedStartIsTheAnswerOfWhoWaitedForIt) {
  const auto key = add("init_error");
  EXPECT_EQ(invoke(key).payload, R"({"errorMessage":"No module named 'x'","errorType":"Runtime.ImportModuleError"})");
  const auto exits = add("init_exit");
  const auto got = invoke(exits);
  EXPECT_EQ(got.function_error, "Unhandled");
  EXPECT_THAT(got.payload, HasSubstr("Runtime exited with error: exit status 3"));
  EXPECT_EQ(invoke(key).function_error, "Unhandled");
  EXPECT_EQ(warden.binds.size(), 3u);
}

TEST_F(InvokerTest, AStartThatNeverEndsTimesOutAfterItsLimitAndTheFunctionsTimeout) {
  const auto key = add("init_silent", [](Function& f) { f.timeout_seconds = 1; });
  const auto began = std::chrono::steady_clock::now();
  const auto index = begin(key);
  run_until([&] { return done(index); }, 13s);
  ASSERT_NE(answer(index), nullptr);
  EXPECT_THAT(answer(index)->payload, HasSubstr("Task timed out after 1.00 seconds"));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 11s);
  EXPECT_EQ(warden.killed.size(), 1u);
}

TEST_F(InvokerTest, ASecondAnswerIsRefusedAndChangesNothing) {
  const auto key = add("twice");
  EXPECT_EQ(invoke(key, "1").payload, "1");
  EXPECT_EQ(invoke(key, "2").payload, "2");
  run_until([&] { return statuses_of_only_container().size() == 4; });
  EXPECT_THAT(statuses_of_only_container(), ElementsAre(202, 403, 202, 403));
  EXPECT_EQ(warden.binds.size(), 1u);
}

TEST_F(InvokerTest, AnAnswerToAnotherInvocationIsRefused) {
  const auto key = add("wrong_id");
  EXPECT_EQ(invoke(key, "1").payload, "1");
  run_until([&] { return statuses_of_only_container().size() == 2; });
  EXPECT_THAT(statuses_of_only_container(), ElementsAre(400, 202));
}

TEST_F(InvokerTest, AnAnswerTooLargeIsAnErrorAndTheInstanceLives) {
  const auto key = add("large");
  const auto got = invoke(key);
  EXPECT_EQ(got.function_error, "Unhandled");
  EXPECT_THAT(got.payload, HasSubstr("Function.ResponseSizeTooLarge"));
  run_until([&] { return statuses_of_only_container().size() == 1; });
  EXPECT_THAT(statuses_of_only_container(), ElementsAre(413));
  EXPECT_EQ(warden.binds.size(), 1u);
}

TEST_F(InvokerTest, ConnectionsOfOneRequestEachWorkToo) {
  const auto key = add("one_shot");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(invoke(key, std::to_string(i)).payload, std::to_string(i));
  EXPECT_EQ(warden.binds.size(), 1u);
}

TEST_F(InvokerTest, CallsInARowOfAClientThatDoesNotPipelineUseOneContainer) {
  const auto key = add("bare", [](Function& f) { f.reserved_concurrency = 1; });
  for (int i = 0; i < 50; ++i) EXPECT_EQ(invoke(key, std::to_string(i)).payload, std::to_string(i));
  EXPECT_EQ(warden.binds.size(), 1u);
}

TEST_F(InvokerTest, OtherEndpointsAnswerSanely) {
  const auto key = add("extras");
  EXPECT_EQ(invoke(key, "1").payload, "1");
  run_until([&] { return statuses_of_only_container().size() >= 5; });
  const auto statuses = statuses_of_only_container();
  EXPECT_THAT(std::vector<int>(statuses.begin(), statuses.begin() + 5), ElementsAre(202, 202, 501, 403, 404));
}

TEST_F(InvokerTest, PayloadsOfSixMebibytesPassBothWays) {
  const auto key = add("echo");
  const std::string payload(6 * 1024 * 1024, 'p');
  EXPECT_EQ(invoke(key, payload).payload, payload);
}

TEST_F(InvokerTest, AFunctionThatIsNotThereOrNotActiveIsRefused) {
  const FunctionKey missing{AccountId("000000000000"), "missing"};
  EXPECT_THAT(invoke(missing).payload, HasSubstr("error: Function not found"));
  const auto pending = add("echo", [](Function& f) { f.state = "Pending"; });
  EXPECT_THAT(invoke(pending).payload, HasSubstr("currently in the following state: Pending"));
}

TEST_F(InvokerTest, NoCallAfterAnUpdateSeesTheOldCode) {
  const auto key = add("version");
  const std::string old_code(64, 'a'), new_code(64, 'b');
  std::vector<size_t> before;
  for (int i = 0; i < 8; ++i) before.push_back(begin(key));
  run_until([&] { return done(before[0]); });
  for (int i = 0; i < 8; ++i) before.push_back(begin(key));
  functions.table[key].package = PackageDigest(new_code);
  invoker->replace_instances(key);
  for (int i = 0; i < 100; ++i) {
    std::vector<size_t> after;
    for (int j = 0; j < 4; ++j) after.push_back(begin(key));
    run_until([&] { return std::ranges::all_of(after, [&](size_t one) { return done(one); }); });
    for (const auto one : after) {
      ASSERT_NE(answer(one), nullptr);
      ASSERT_EQ(answer(one)->payload, "\"" + new_code + "\"");
    }
  }
  run_until([&] { return std::ranges::all_of(before, [&](size_t one) { return done(one); }); });
  for (const auto one : before) EXPECT_NE(answer(one), nullptr);
}

TEST_F(InvokerTest, ABusyInstanceOfTheOldCodeEndsAfterItsAnswer) {
  const auto key = add("sleep");
  const auto index = begin(key, "50");
  run_until([&] { return warden.binds.size() == 1; });
  run_until([&] { return invoker->pool_status().at("instances").as_array().at(0).at("state") == "busy"; });
  invoker->replace_instances(key);
  EXPECT_TRUE(warden.killed.empty());
  run_until([&] { return done(index); });
  EXPECT_EQ(answer(index)->payload, "50");
  run_until([&] { return warden.killed.size() == 1; });
}

TEST_F(InvokerTest, ABindThatFailsIsTriedWithAnotherContainer) {
  const auto key = add("echo");
  warden.bind_failure = Error{Kind::conflict, "not warm"};
  EXPECT_EQ(invoke(key, "1").payload, "1");
  EXPECT_EQ(warden.killed.size(), 1u);
  warden.bind_failure = Error{Kind::invalid, "no such package"};
  const auto other = add("version");
  EXPECT_EQ(invoke(other).payload, "error: no such package");
}

TEST_F(InvokerTest, AFunctionWithoutItsNetworkFailsAtOnceAndCostsNoContainer) {
  const auto key = add("echo");
  no_network = Error{Kind::conflict, "no bridge br0 on this host"};
  EXPECT_EQ(invoke(key).payload, "error: no bridge br0 on this host");
  EXPECT_TRUE(warden.killed.empty());
  EXPECT_TRUE(warden.binds.empty());
  no_network.reset();
  EXPECT_EQ(invoke(key, "1").payload, "1");
}

TEST_F(InvokerTest, IdleInstancesEndAfterTheirHoldTime) {
  stop();
  config.hold_seconds = 1;
  start();
  const auto key = add("echo");
  invoke(key);
  run_until([&] { return warden.killed.size() == 1; });
  EXPECT_EQ(warden.killed[0], warden.binds[0].container);
}

TEST_F(InvokerTest, WithAHoldTimeOfNothingEveryCallIsAColdStart) {
  stop();
  config.hold_seconds = 0;
  start();
  const auto key = add("echo");
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(invoke(key, "1").payload, "1");
    EXPECT_EQ(warden.binds.size(), static_cast<size_t>(i));
  }
  run_until([&] { return warden.killed.size() == 3; });
}

TEST_F(InvokerTest, TheContainerLimitEndsIdleInstancesAndThenRefuses) {
  stop();
  config.containers = 2;
  config.pool_min = 0;
  start();
  const auto a = add("echo");
  const auto b = add("version");
  const auto c = add("sleep");
  invoke(a);
  invoke(b);
  EXPECT_EQ(warden.containers.size(), 2u);
  const auto first = begin(c, "300");
  run_until([&] { return warden.killed.size() == 1; });
  EXPECT_EQ(warden.killed[0], warden.binds[0].container);  // the one idle for longest
  const auto second = begin(c, "300");
  run_until([&] { return warden.killed.size() == 2; });
  EXPECT_EQ(invoke(a).payload, "error: the host's limit of containers is reached");
  run_until([&] { return done(first) && done(second); });
  EXPECT_NE(answer(first), nullptr);
  EXPECT_NE(answer(second), nullptr);
}

TEST_F(InvokerTest, TheMemoryLimitEndsIdleInstancesAndThenRefuses) {
  stop();
  config.memory_mib = 256;
  start();
  const auto a = add("echo");
  const auto b = add("sleep", [](Function& f) { f.memory_mib = 256; });
  invoke(a);
  const auto index = begin(b, "200");
  run_until([&] { return warden.killed.size() == 1; });
  EXPECT_EQ(invoke(a).payload, "error: the host's memory for functions is in use");
  run_until([&] { return done(index); });
  EXPECT_NE(answer(index), nullptr);
}

TEST_F(InvokerTest, StoppingAnswersWhatIsUnderWayAndKeepsWarmContainers) {
  const auto key = add("silent", [](Function& f) { f.timeout_seconds = 60; });
  fill_pool();
  const auto index = begin(key);
  run_until([&] { return warden.binds.size() == 1; });
  run_until([&] { return stock() == 2; });
  warden.hooks.on_container_gone = nullptr;
  stop();
  ASSERT_TRUE(done(index));
  EXPECT_EQ(outcomes[index]->error().kind, Kind::unavailable);
  EXPECT_EQ(warden.killed.size(), 1u);
}

}  // namespace
}  // namespace hearth::runtime
