#include "graph/engine/evaluation.h"

#include <gtest/gtest.h>

#include <string>

#include "graph/definition/definition.h"
#include "graph/expression/json_text.h"
#include "graph/expression/test_data.h"

namespace hearth::engine {
namespace {

using definition::Definition;
using expression::Value;
using expression::testing::json;

// What the Pass state's Parameters (JSONPath) or Output (JSONata) give, or "error: cause @ location".
std::string evaluated(const std::string& fields) {
  Definition::Parsed parsed =
      Definition::parse(R"({"StartAt":"S","States":{"S":{"Type":"Pass","End":true,)" + fields + "}}}");
  if (!parsed.definition) return definition::invalid_definition_message(parsed.diagnostics);
  const definition::State& state = parsed.definition->machine().states[0];
  Value input = json(R"({"a":1.0,"list":[1,2],"text":"x"})");
  Value context = json(R"({"State":{"Name":"S"}})");
  Value variables = json(R"({"v":{"w":7}})");
  Value states = json(R"({"input":{"a":1.0,"list":[1,2],"text":"x"}})");
  expression::Surroundings surroundings;
  surroundings.random = [] { return uint64_t{0}; };
  auto value =
      evaluate(state.output ? *state.output : *state.arguments, Scope{input, context, variables, states, surroundings});
  if (value) return to_json(*value);
  return std::string(value.error().error) + ": " + value.error().cause + " @ " + value.error().location;
}

struct Case {
  std::string fields;
  std::string wanted;
};

TEST(Evaluation, FillsTemplatesOfPaths) {
  const Case cases[] = {
      {R"("Parameters":{"b.$":"$.a","c":{"d.$":"$$.State.Name","e":"$.a"},"f":[{"g.$":"$v.w"},1.50]})",
       R"({"b":1.0,"c":{"d":"S","e":"$.a"},"f":[{"g":7},1.50]})"},
      {R"~("Parameters":{"b.$":"States.ArrayLength($.list)"})~", R"({"b":2})"},
      {R"("Parameters":{"b.$":"$.list[9]"})", R"({"b":null})"},
      {R"("Parameters":{"c":{"b.$":"$.none"}})",
       R"(States.Runtime: The JSONPath '$.none' specified for the field 'b.$' could not be found in the input )"
       R"('{"a":1.0,"list":[1,2],"text":"x"}' @ )"},
      {R"("Parameters":{"b.$":"$$.none"})",
       R"(States.Runtime: The JSONPath '$$.none' specified for the field 'b.$' could not be found in the input )"
       R"('{"State":{"Name":"S"}}' @ )"},
      {R"~("Parameters":{"b.$":"States.MathAdd($.text, 1)"})~",
       "States.IntrinsicFailure: Invalid arguments in States.MathAdd @ "},
  };
  for (const Case& c : cases) EXPECT_EQ(evaluated(c.fields), c.wanted) << c.fields;
}

TEST(Evaluation, FillsValuesOfJsonata) {
  const std::string jsonata = R"("QueryLanguage":"JSONata","Output":)";
  const Case cases[] = {
      {"5", "5"},
      {R"("{% $states.input.a + $v.w %}")", "8"},
      {R"({"b":["{% $v %}"," {% $v %} ",{"c":null}]})", R"({"b":[{"w":7}," {% $v %} ",{"c":null}]})"},
      {R"({"b":["{% $none %}"]})",
       "States.QueryEvaluationError: The JSONata expression '$none' specified for the field 'Output/b[0]' returned "
       "nothing (undefined). @ Output/b[0]"},
      {R"("{%1 + 'x'%}")",
       "States.QueryEvaluationError: The JSONata expression '1 + 'x'' specified for the field 'Output' threw an error "
       "during evaluation. T2002: The right side of the \"+\" operator must evaluate to a number @ Output"},
  };
  for (const Case& c : cases) EXPECT_EQ(evaluated(jsonata + c.fields), c.wanted) << c.fields;
}

TEST(Evaluation, EndsWithItsLimits) {
  std::string got = evaluated(R"("QueryLanguage":"JSONata","Output":"{% ($f := function(){ $f() + 1 }; $f()) %}")");
  EXPECT_TRUE(got.starts_with("States.QueryEvaluationError: ") && got.contains("Stack overflow error")) << got;
}

}  // namespace
}  // namespace hearth::engine
