#include "graph/engine/invocation.h"

#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "graph/definition/resource.h"
#include "graph/expression/json_text.h"
#include "graph/expression/test_data.h"

namespace hearth::engine {
namespace {

using definition::Resource;
using expression::Value;

Resource plain() { return *definition::parse_resource("arn:aws:lambda:r:1:function:f"); }
Resource invoke() { return *definition::parse_resource("arn:aws:states:::lambda:invoke"); }

Invocation answered(std::string payload, bool failed = false) {
  return {.payload = std::move(payload),
          .is_function_error = failed,
          .version = "$LATEST",
          .request_id = "id",
          .trace_id = "trace",
          .date = "date"};
}

std::string printed(const Resource& resource, const Invocation& invocation) {
  auto outcome = outcome_of(resource, invocation);
  return outcome ? to_json(*outcome) : outcome.error().error + ": " + outcome.error().cause;
}

TEST(Invocation, OfAPlainFunctionIsItsPayload) {
  EXPECT_EQ(printed(plain(), answered("0.0")), "0.0");
  EXPECT_EQ(printed(plain(), answered("")), "null");
  EXPECT_EQ(printed(plain(), answered(R"({"errorMessage": "m", "errorType": "E"})", true)),
            R"(E: {"errorMessage": "m", "errorType": "E"})");
  EXPECT_EQ(printed(plain(), answered(R"({"errorMessage":"m"})", true)), R"(Lambda.Unknown: {"errorMessage":"m"})");
  EXPECT_EQ(printed(plain(), answered("no json")), "Lambda.Unknown: no json");
}

TEST(Invocation, OfTheLambdaServiceWritesCausesAnew) {
  EXPECT_EQ(printed(invoke(), answered(R"({"errorType": "E", "n": 1.0})", true)), R"(E: {"errorType":"E","n":1.0})");
}

TEST(Invocation, HasALimit) {
  std::string most = '"' + std::string(kMaxPayloadBytes - 2, 'a') + '"';
  EXPECT_EQ(printed(plain(), answered(most)), most);
  EXPECT_EQ(printed(plain(), answered(most + " ")), "States.DataLimitExceeded: " + too_large(plain().arn));
  EXPECT_EQ(printed(invoke(), answered(most + " ")), "States.DataLimitExceeded: " + too_large("lambda"));
}

// As the recorded functions' Python writes it: a space after ':' and ','.
std::string python_text(const Value& value) {
  std::string text;
  if (value.is_object()) {
    for (const expression::Member& member : value.members())
      text += (text.empty() ? "" : ", ") + to_json(member.key) + ": " + python_text(member.value);
    return "{" + text + "}";
  }
  if (!value.is_array()) return to_json(value);
  for (const Value& item : value.items()) text += (text.empty() ? "" : ", ") + python_text(item);
  return "[" + text + "]";
}

// Recordings hide ids and dates and forget the list around some of them: those are compared by name alone.
void expect_like(const Value& recorded, const Value& made, const std::string& where) {
  if (recorded.is_object() && made.is_object()) {
    EXPECT_EQ(recorded.size(), made.size()) << where;
    for (const expression::Member& member : recorded.members()) {
      const Value* other = made.find(member.name());
      ASSERT_NE(other, nullptr) << where << "/" << member.name();
      expect_like(member.value, *other, where + "/" + std::string(member.name()));
    }
    return;
  }
  for (const char* hidden : {"Date", "x-amzn-RequestId", "X-Amzn-Trace-Id", "RequestId"}) {
    if (where.ends_with(std::string("/") + hidden)) return;
  }
  EXPECT_TRUE(expression::deep_equal_spelled(recorded, made)) << where << " " << to_json(recorded) << to_json(made);
}

TEST(Recorded, RepliesOfLambdaInvoke) {
  auto data = expression::testing::load_data("asl/executions.json");
  if (!data) GTEST_SKIP() << "asl/executions.json is not on this machine (see HEARTH_DATA)";
  size_t checked = 0;
  for (const Value& test : data->items()) {
    const Value* reply = test.find("expected")->find("get_execution_history");
    if (reply == nullptr) continue;
    for (const Value& event : reply->find("events")->items()) {
      const Value* details = event.find("taskSucceededEventDetails");
      if (details == nullptr || details->find("resource")->as_string() != "invoke") continue;
      const Value& output = *details->find("output");
      auto made = outcome_of(invoke(), answered(python_text(*output.find("Payload"))));
      ASSERT_TRUE(made);
      expect_like(output, *made, std::string(test.find("id")->as_string()) + ":");
      ++checked;
    }
  }
  std::cout << "asl: " << checked << " recorded replies of lambda:invoke checked\n";
  EXPECT_GE(checked, 10U);
}

}  // namespace
}  // namespace hearth::engine
