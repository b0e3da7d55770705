#include "graph/engine/condition.h"

#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "graph/definition/definition.h"
#include "graph/expression/json_text.h"
#include "graph/expression/test_data.h"

namespace hearth::engine {
namespace {

using definition::Definition;
using expression::PathScope;
using expression::Value;
using expression::testing::json;

// The state that the Choice state at the start of `text` goes to for `input`, or the error.
std::string chosen(std::string_view text, const Value& input) {
  Definition::Parsed parsed = Definition::parse(text);
  if (!parsed.definition) return definition::invalid_definition_message(parsed.diagnostics);
  const definition::Machine& machine = parsed.definition->machine();
  const definition::ChoicePart& choice = machine.states[machine.start].choice();
  Value context = json("{}");
  for (const definition::ChoiceRule& rule : choice.rules) {
    auto held = holds(std::get<definition::Condition>(rule.condition), PathScope{input, context, nullptr});
    if (!held) return held.error().message;
    if (*held) return machine.states[rule.next].name;
  }
  return machine.states[choice.otherwise].name;
}

std::string machine_of(const std::string& rule) {
  return R"({"StartAt":"S","States":{"S":{"Type":"Choice","Default":"no","Choices":[)" +
         rule.substr(0, rule.size() - 1) + R"(,"Next":"yes"}]},"yes":{"Type":"Succeed"},"no":{"Type":"Succeed"}}})";
}

struct Case {
  std::string rule;
  std::string input;
  std::string wanted;
};

TEST(Condition, ComparesCombinesAndRefuses) {
  const Case cases[] = {
      {R"({"Variable":"$.a","NumericEquals":1})", R"({"a":1.0})", "yes"},
      {R"({"Variable":"$.a","NumericGreaterThan":9007199254740992})", R"({"a":9007199254740993})", "yes"},
      {R"({"Variable":"$.a","NumericEquals":1})", R"({"a":"1"})", "no"},
      {R"({"Variable":"$.a","StringLessThanPath":"$.b"})", R"({"a":"x","b":"y"})", "yes"},
      {R"({"Variable":"$.a","StringLessThanPath":"$.b"})", R"({"a":"x"})",
       "Invalid path '$.b': The choice state's condition path references an invalid value."},
      {R"({"Variable":"$.a","IsNull":true})", "{}",
       "Invalid path '$.a': The choice state's condition path references an invalid value."},
      {R"({"Variable":"$.a","IsPresent":false})", "{}", "yes"},
      {R"({"Variable":"$.a","IsNull":true})", R"({"a":null})", "yes"},
      {R"({"Variable":"$.a","IsTimestamp":true})", R"({"a":"2016-03-14T01:59:00Z"})", "yes"},
      {R"({"Variable":"$.a","IsTimestamp":true})", R"({"a":"2016-03-14T01:59:00"})", "no"},
      {R"({"Variable":"$.a","TimestampEquals":"2016-03-14T01:59:00Z"})", R"({"a":"2016-03-14T02:59:00.000+01:00"})",
       "yes"},
      {R"({"Variable":"$.a","BooleanEqualsPath":"$.b"})", R"({"a":true,"b":"true"})", "no"},
      {R"({"And":[{"Variable":"$.a","IsPresent":true},{"Variable":"$.a","IsNumeric":true}]})", "{}", "no"},
      {R"({"Or":[{"Variable":"$.a","IsPresent":false},{"Variable":"$.a","IsNumeric":true}]})", "{}", "yes"},
      {R"({"Not":{"Or":[{"Variable":"$.a","IsNull":true},{"Variable":"$.a","IsString":true}]}})", R"({"a":1})", "yes"},
  };
  for (const Case& c : cases) EXPECT_EQ(chosen(machine_of(c.rule), json(c.input)), c.wanted) << c.rule << c.input;
}

TEST(Condition, MatchesWildcards) {
  EXPECT_TRUE(matches_wildcard("log-*.txt", "log-1.txt"));
  EXPECT_TRUE(matches_wildcard("*", ""));
  EXPECT_TRUE(matches_wildcard("a*b*c", "aXbXbc"));
  EXPECT_FALSE(matches_wildcard("a*b*c", "aXbXb"));
  EXPECT_FALSE(matches_wildcard("", "a"));
  EXPECT_TRUE(matches_wildcard("", ""));
  EXPECT_TRUE(matches_wildcard("a\\*", "a*"));
  EXPECT_FALSE(matches_wildcard("a\\*", "ab"));
  EXPECT_TRUE(matches_wildcard("a\\\\*", "a\\b"));
  EXPECT_FALSE(matches_wildcard("a\\*", "a"));
  // Many stars against a long text end soon.
  std::string stars;
  for (int i = 0; i < 200; ++i) stars += "*a";
  EXPECT_FALSE(matches_wildcard(stars + "b", std::string(20'000, 'a')));
}

// "test_numeric_less_than_equals_path" → "NumericLessThanEqualsPath".
std::string operator_of(std::string_view table) {
  std::string name;
  bool upper = true;
  for (char c : table.substr(std::string_view("test_").size())) {
    if (c != '_') name += upper ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '_';
  }
  return name;
}

// Where a recording has "date" in place of a moment, it does not say which: both sides so make the row undecided.
bool is_masked(const Value& value) { return value.is_string() && value.as_string() == "date"; }

TEST(Recorded, ChoiceOperators) {
  auto tables = expression::testing::load_data("asl/choice_operators.json");
  if (!tables) GTEST_SKIP() << "asl/choice_operators.json is not on this machine (see HEARTH_DATA)";
  size_t checked = 0;
  size_t undecided = 0;
  for (const expression::Member& table : tables->members()) {
    std::string operation = operator_of(table.name());
    for (const Value& row : table.value.items()) {
      const Value& value = *row.find("input")->find("Value");
      if (is_masked(value) && is_masked(*row.find("input")->find("Variable"))) {
        ++undecided;
        continue;
      }
      std::string operand = operation.ends_with("Path") ? "\"$.Value\"" : expression::to_json(value);
      if (is_masked(value) && !operation.ends_with("Path")) operand = "\"2012-10-09T19:00:55Z\"";
      std::string got =
          chosen(machine_of(R"({"Variable":"$.Variable",")" + operation + "\":" + operand + "}"), *row.find("input"));
      bool wanted = row.find("output")->find("TestResult.$")->as_string() == "ConditionTrue";
      EXPECT_EQ(got, wanted ? "yes" : "no") << table.name() << " " << expression::to_json(row);
      ++checked;
    }
  }
  std::cout << "asl: " << checked << " rows of choice operators checked, " << undecided << " undecided\n";
  EXPECT_GE(checked, 240U);
}

// The same with the definitions and inputs as they were sent, in which no moment is hidden.
TEST(Recorded, ChoiceStatesOfTheService) {
  auto data = expression::testing::load_data("asl/api.json");
  if (!data) GTEST_SKIP() << "asl/api.json is not on this machine (see HEARTH_DATA)";
  size_t checked = 0;
  for (const Value& test : data->items()) {
    const Value* rows = test.find("expected")->find("cases");
    if (rows == nullptr || !test.find("id")->as_string().starts_with("choice_operators/")) continue;
    std::span<const Value> steps = test.find("steps")->items();
    ASSERT_EQ(steps.size(), 2 * rows->size()) << test.find("id")->as_string();
    for (size_t i = 0; i < rows->size(); ++i) {
      std::string_view machine = steps[2 * i].items()[2].as_string();
      Value input = json(steps[2 * i + 1].items()[2].as_string());
      EXPECT_EQ(chosen(machine, input), rows->items()[i].find("output")->find("TestResult.$")->as_string())
          << test.find("id")->as_string() << " " << expression::to_json(input);
      ++checked;
    }
  }
  std::cout << "asl: " << checked << " recorded Choice states checked\n";
  EXPECT_GE(checked, 200U);
}

}  // namespace
}  // namespace hearth::engine
