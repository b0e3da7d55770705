// Asynchronous invocations.
#include "runtime/events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>

#include "runtime/invoker_fixture_test.h"

namespace hearth::runtime {
namespace {

using namespace std::chrono_literals;

class EventsTest : public InvokerFixture {
 protected:
  EventsTest() { policy.retry_delays = {20ms, 40ms}; }
  std::string outcomes_of(const FunctionKey& key) {
    std::string all;
    for (const auto& record : invoker->recent(key, 100)) all += record.outcome + " ";
    return all;
  }
};

TEST_F(EventsTest, AnEventIsDoneOnceAndThenForgotten) {
  start();
  const auto key = add("echo");
  const auto id = enqueue(key, R"({"a":1})");
  run_until([&] { return queue.items.empty(); });
  const auto recent = invoker->recent(key, 10);
  ASSERT_EQ(recent.size(), 1u);
  EXPECT_EQ(recent[0].request_id, id);
}

TEST_F(EventsTest, AFunctionErrorIsTriedTwiceMoreWithTheSameRequestId) {
  start();
  const auto key = add("error");
  const auto id = enqueue(key, "{}");
  run_until([&] { return queue.items.empty(); });
  const auto recent = invoker->recent(key, 10);
  ASSERT_EQ(recent.size(), 3u);
  for (const auto& record : recent) EXPECT_EQ(record.request_id, id);
  EXPECT_EQ(queue.delays, (std::vector<std::chrono::milliseconds>{20ms, 40ms}));
}

TEST_F(EventsTest, AThrottledEventBacksOffUntilThereIsAPlace) {
  policy.throttle_first = 5ms;
  start();
  const auto key = add("echo", [](Function& f) { f.reserved_concurrency = 0; });
  enqueue(key, "{}");
  run_until([&] { return queue.delays.size() == 3; });
  EXPECT_EQ(queue.delays, (std::vector<std::chrono::milliseconds>{5ms, 10ms, 20ms}));
  functions.table[key].reserved_concurrency = 1;
  run_until([&] { return queue.items.empty(); });
  EXPECT_EQ(outcomes_of(key), "ok throttled throttled throttled ");
}

TEST_F(EventsTest, AnEventThatIsTooOldIsGivenUp) {
  policy.throttle_first = 5ms;
  policy.max_age = 50ms;
  start();
  const auto key = add("echo", [](Function& f) { f.reserved_concurrency = 0; });
  enqueue(key, "{}");
  run_until([&] { return queue.items.empty(); });
  EXPECT_EQ(outcomes_of(key).find("ok"), std::string::npos);
}

TEST_F(EventsTest, ThrottledEventsFollowOneAnotherAsPlacesComeFree) {
  policy.throttle_first = 60s;
  start();
  const auto key = add("sleep", [](Function& f) { f.reserved_concurrency = 2; });
  for (int i = 0; i < 9; ++i) enqueue(key, "20");
  run_until([&] { return queue.items.empty(); });
  const auto recent = invoker->recent(key, 100);
  EXPECT_EQ(std::ranges::count(recent, "ok", &InvocationRecord::outcome), 9);
}

TEST_F(EventsTest, TheEventsOfADeletedFunctionAreDropped) {
  policy.throttle_first = 5ms;
  start();
  const auto key = add("echo", [](Function& f) { f.reserved_concurrency = 0; });
  for (int i = 0; i < 3; ++i) enqueue(key, "{}");
  run_until([&] { return queue.delays.size() >= 3; });
  functions.table.erase(key);
  run_until([&] { return queue.items.empty(); });
  const auto metrics = invoker->metrics_text();
  EXPECT_NE(metrics.find("hearth_events_total{what=\"dropped\"} 3"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("hearth_events_total{what=\"done\"} 0"), std::string::npos) << metrics;
}

TEST_F(EventsTest, AnEventIsNotForTheSuccessorOfItsFunction) {
  policy.throttle_first = 5ms;
  start();
  const auto key = add("echo", [](Function& f) { f.id = "first", f.reserved_concurrency = 0; });
  enqueue(key, "{}");
  run_until([&] { return !queue.delays.empty(); });
  add("echo", [](Function& f) { f.id = "second"; });
  run_until([&] { return queue.items.empty(); });
  EXPECT_EQ(outcomes_of(key).find("ok"), std::string::npos);
  enqueue(key, "{}");
  run_until([&] { return queue.items.empty(); });
  EXPECT_NE(outcomes_of(key).find("ok"), std::string::npos);
}

TEST_F(EventsTest, WhatIsMissingForNowIsWaitedFor) {
  policy.throttle_first = 5ms;
  start();
  no_network = Error{Kind::not_found, "no such subnet"};
  const auto key = add("echo");
  enqueue(key, "{}");
  run_until([&] { return queue.delays.size() >= 2; });
  no_network = Error{Kind::invalid, "not now"};
  const size_t before = queue.delays.size();
  run_until([&] { return queue.delays.size() > before; });
  no_network.reset();
  run_until([&] { return queue.items.empty(); });
  EXPECT_TRUE(outcomes_of(key).starts_with("ok ")) << outcomes_of(key);
}

TEST_F(EventsTest, TheLeaseOfALongInvocationIsRenewed) {
  policy.lease = 60ms;
  start();
  const auto key = add("sleep");
  enqueue(key, "300");
  run_until([&] { return queue.items.empty(); });
  EXPECT_EQ(outcomes_of(key), "ok ");  // and not a second time when the first lease ended
}

TEST_F(EventsTest, OneAccountTakesNoMoreThanItsShare) {
  config.pool_max = 4;
  start();
  const auto key = add("sleep");
  for (size_t i = 0; i < EventWorker::kInFlightOfAccount + 10; ++i) enqueue(key, "1500");
  size_t most = 0;
  run_until(
      [&] {
        most = std::max(most, invoker->pool_status().at("events_in_flight").to_number<size_t>());
        return queue.items.empty();
      },
      20s);
  EXPECT_EQ(most, EventWorker::kInFlightOfAccount);
}

TEST_F(EventsTest, AnAccountWithManyEventsHoldsUpNoOther) {
  start();
  const auto busy = add("silent", [](Function& f) { f.timeout_seconds = 60; });
  for (size_t i = 0; i < EventWorker::kInFlightOfAccount + 10; ++i) enqueue(busy, "{}");
  const FunctionKey other{AccountId("111111111111"), "echo"};
  auto function = functions.table[add("echo")];
  function.key = other;
  functions.table[other] = function;
  enqueue(other, "{}");
  run_until([&] { return outcomes_of(other) == "ok "; });
  EXPECT_EQ(queue.items.size(), EventWorker::kInFlightOfAccount + 10);
}

TEST_F(EventsTest, AnAccountsEventsAreCleared) {
  policy.throttle_first = 60s;
  start();
  const auto key = add("echo", [](Function& f) { f.reserved_concurrency = 0; });
  enqueue(key, "{}");
  run_until([&] { return queue.delays.size() == 1; });
  const FunctionKey other{AccountId("111111111111"), "echo"};
  functions.table[other] = functions.table[key];
  functions.table[other].key = other;
  enqueue(other, "{}");
  std::optional<Result<>> cleared;
  boost::asio::co_spawn(loop, invoker->clear_events(key.account),
                        [&](std::exception_ptr, Result<> result) { cleared = std::move(result); });
  run_until([&] { return cleared.has_value(); });
  EXPECT_TRUE(*cleared);
  ASSERT_EQ(queue.items.size(), 1u);
  EXPECT_EQ(queue.items.begin()->second.queue, "events/111111111111");
  functions.table[key].reserved_concurrency.reset();
  enqueue(key, "{}");
  run_until([&] { return queue.items.size() == 1; });
  EXPECT_EQ(outcomes_of(key), "ok throttled ");
}

TEST(Event, IsReadAsItWasWritten) {
  Invocation event;
  event.request_id = "1-2";
  event.function = {AccountId("000000000000"), "name"};
  event.function_id = "id";
  event.qualifier = "$LATEST";
  constexpr char kRaw[] = "\n{\"raw\": \"\xff\"}\n\0x";
  event.payload = std::string(kRaw, sizeof(kRaw) - 1);
  event.client_context = "e30=";
  const auto read = decode_event(encode_event(event));
  ASSERT_TRUE(read) << read.error().describe();
  EXPECT_EQ(read->request_id, event.request_id);
  EXPECT_EQ(read->function, event.function);
  EXPECT_EQ(read->function_id, event.function_id);
  EXPECT_EQ(read->payload, event.payload);
  EXPECT_EQ(read->client_context, event.client_context);
  EXPECT_FALSE(decode_event("no event"));
  EXPECT_FALSE(decode_event("{}\n"));
}

}  // namespace
}  // namespace hearth::runtime
