// The JSONata 2.0.6 suite, run against the evaluator itself. `--gtest_filter=Conformance.*` prints every failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>

#include "graph/expression/fault.h"
#include "graph/expression/jsonata.h"
#include "graph/expression/test_data.h"

namespace hearth::expression {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kWantedRate = 0.97;
// What is known not to pass: $eval is not there, and in cases.json the members of a dataset are in another order than
// in the suite, which two cases of the parent operator show.
constexpr std::string_view kKnown[] = {"function-eval/", "parent-operator/parent/24", "parent-operator/parent/25"};
constexpr int64_t kSuiteBytes = int64_t{1} << 30;  // it builds a range of ten million
constexpr auto kDefaultTime = std::chrono::seconds(20);

struct Outcome {
  bool passed = false;
  std::string got;
};

std::string text_of(const Value& member) {
  return member.is_string() ? std::string(member.as_string()) : to_json(member);
}

bool equal_unordered(const Value& left, const Value& right) {
  if (!left.is_array() || !right.is_array() || left.size() != right.size()) return deep_equal(left, right);
  std::vector<Value> rest(right.items().begin(), right.items().end());
  for (const Value& item : left.items()) {
    auto found = std::ranges::find_if(rest, [&](const Value& other) { return deep_equal(item, other); });
    if (found == rest.end()) return false;
    rest.erase(found);
  }
  return true;
}

Surroundings surroundings_of(const Value& test) {
  Surroundings given;
  given.now_ms = 1'700'000'000'000;
  uint64_t state = 1;
  given.random = [state]() mutable {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state ^ (state >> 29);
  };
  given.limits.bytes = kSuiteBytes;
  given.limits.steps = 100'000'000;
  auto end = Clock::now() + kDefaultTime;
  if (const Value* limit = test.find("timelimit")) end = Clock::now() + std::chrono::milliseconds(*limit->as_integer());
  given.expired = [end] { return Clock::now() > end; };
  if (const Value* depth = test.find("depth")) given.limits.depth = static_cast<uint32_t>(*depth->as_integer());
  return given;
}

std::string code_of(const Error& error) {
  std::string code(error_code(error));
  bool breached = error.kind == Kind::exhausted || error.kind == Kind::timeout;
  return breached ? "U1001" : code;
}

Outcome check_error(const Value& test, const Error& error) {
  Outcome outcome{false, error.message};
  const Value* details = test.find("error");
  const Value* code = test.find("code") != nullptr ? test.find("code")
                      : details != nullptr         ? details->find("code")
                                                   : nullptr;
  if (code == nullptr || code_of(error) != code->as_string()) return outcome;
  const Value* message = details == nullptr ? nullptr : details->find("message");
  outcome.passed = message == nullptr || error_text(error) == message->as_string();
  return outcome;
}

Outcome run(const Value& test, const Value& datasets) {
  auto compiled = Jsonata::compile(test.find("expr")->as_string());
  if (!compiled) return check_error(test, compiled.error());
  Value input;
  if (const Value* data = test.find("data")) input = *data;
  if (const Value* name = test.find("dataset"); name != nullptr && name->is_string()) {
    input = *datasets.find(name->as_string());
  }
  std::vector<std::pair<std::string_view, Value>> bindings;
  if (const Value* given = test.find("bindings")) {
    for (const Member& member : given->members()) bindings.emplace_back(member.name(), member.value);
  }
  auto result = compiled->evaluate(input, bindings, surroundings_of(test));
  if (!result) return check_error(test, result.error());
  Outcome outcome{false, result->is_undefined() ? "undefined" : to_json(*result)};
  if (test.find("undefinedResult") != nullptr) {
    outcome.passed = result->is_undefined();
  } else if (const Value* wanted = test.find("result")) {
    bool unordered = test.find("unordered") != nullptr;
    outcome.passed = unordered ? equal_unordered(*result, *wanted) : deep_equal(*result, *wanted);
  }
  return outcome;
}

TEST(Conformance, JsonataSuite) {
  auto data = testing::load_data("jsonata/cases.json");
  if (!data) GTEST_SKIP() << "jsonata/cases.json is not on this machine (see HEARTH_DATA)";
  const Value& cases = *data->find("cases");
  const Value& datasets = *data->find("datasets");
  size_t passed = 0;
  for (const Value& test : cases.items()) {
    Outcome outcome = run(test, datasets);
    if (outcome.passed) {
      ++passed;
      continue;
    }
    std::string id = text_of(*test.find("id"));
    bool known = std::ranges::any_of(kKnown, [&](std::string_view name) { return id.starts_with(name); });
    EXPECT_TRUE(known) << id << " used to pass";
    std::cout << "failed " << text_of(*test.find("id")) << ": " << text_of(*test.find("expr")) << "\n  got "
              << outcome.got.substr(0, 300) << "\n";
    for (const char* part : {"result", "code", "error", "undefinedResult"}) {
      if (const Value* wanted = test.find(part))
        std::cout << "  wanted " << part << " " << to_json(*wanted).substr(0, 300) << "\n";
    }
  }
  std::cout << "jsonata: " << passed << " of " << cases.size() << " passed\n";
  EXPECT_GE(static_cast<double>(passed), kWantedRate * static_cast<double>(cases.size()));
}

}  // namespace
}  // namespace hearth::expression
