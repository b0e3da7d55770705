#include "graph/definition/definition.h"

#include <gtest/gtest.h>

#include <string>

#include "graph/definition/diagnostic.h"
#include "graph/definition/timestamp.h"

namespace hearth::definition {
namespace {

std::string described(std::string_view text) {
  std::string all;
  for (const Diagnostic& found : Definition::parse(text).diagnostics) {
    if (!all.empty()) all += "\n";
    all += (found.severity == Severity::warning ? "warning " : "") + std::string(found.code) + ": " + found.message +
           " at " + found.location;
  }
  return all;
}

// A machine of one state, S, with these fields.
std::string one_state(const std::string& fields) { return R"({"StartAt":"S","States":{"S":{)" + fields + "}}}"; }

struct Case {
  std::string text;
  std::string wanted;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) EXPECT_EQ(described(c.text), c.wanted) << c.text;
}

TEST(Definition, TakesEveryStateType) {
  EXPECT_EQ(described(R"json({"StartAt":"T","TimeoutSeconds":60,"Version":"1.0","Comment":"all","States":{
    "T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","TimeoutSeconds":5,
         "HeartbeatSecondsPath":"$.h","Parameters":{"FunctionName":"f","Payload":{"token.$":"$$.Task.Token"}},
         "ResultSelector":{"r.$":"$.x"},"ResultPath":"$.r","OutputPath":"$",
         "Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":2,"MaxAttempts":0,"BackoffRate":1.5,
                   "MaxDelaySeconds":9,"JitterStrategy":"FULL"}],
         "Catch":[{"ErrorEquals":["States.ALL"],"Next":"F","ResultPath":"$.e"}],"Next":"C"},
    "C":{"Type":"Choice","Choices":[{"And":[{"Variable":"$.a","IsPresent":true},{"Not":{"Variable":"$.a",
         "StringMatches":"x*"}}],"Next":"W"}],"Default":"P"},
    "W":{"Type":"Wait","TimestampPath":"$.t","Next":"P"},
    "P":{"Type":"Parallel","Branches":[{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}],"Next":"M"},
    "M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":3,"Label":"label","ToleratedFailurePercentage":5,
         "ItemBatcher":{"MaxItemsPerBatch":10},
         "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
         "StartAt":"B","States":{"B":{"Type":"Pass","Result":1,"End":true}}},"Next":"J"},
    "J":{"Type":"Pass","QueryLanguage":"JSONata","Output":{"x":"{% $states.input.y %}"},"Assign":{"v":1},"Next":"F"},
    "F":{"Type":"Fail","ErrorPath":"States.Format('{}', $.e)","Cause":"c"}}})json"),
            "");
}

TEST(Definition, ResolvesWhatTheEngineReads) {
  auto parsed = Definition::parse(R"({"QueryLanguage":"JSONata","StartAt":"A","States":{
    "A":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2","Arguments":{"a":[1,"{% 1 %}"]},
         "Next":"B"},"B":{"Type":"Succeed"}}})");
  ASSERT_NE(parsed.definition, nullptr);
  const Machine& machine = parsed.definition->machine();
  const State& a = machine.states[machine.start];
  EXPECT_EQ(a.name, "A");
  EXPECT_EQ(machine.states[a.next].name, "B");
  EXPECT_EQ(a.task().resource.service, "states");
  EXPECT_EQ(a.task().resource.action, "startExecution.sync:2");
  EXPECT_EQ(a.task().resource.integration, Integration::sync2);
  EXPECT_EQ(a.arguments->kind, Template::Kind::object);
  EXPECT_EQ(a.arguments->parts[0].parts[1].expression.field, "Arguments/a[1]");
  EXPECT_EQ(machine.find("B")->type, StateType::succeed);
  EXPECT_EQ(machine.find("C"), nullptr);
}

TEST(Definition, NamesThePlaceAndTheRuleOfTransitions) {
  check({
      {"", "MISSING_DESCRIPTION: Received a null or empty workflow input at "},
      {"[]", "INVALID_JSON_DESCRIPTION: Expected value of type Object at "},
      {"{}",
       "SCHEMA_VALIDATION_FAILED: Missing required field 'StartAt' at \n"
       "SCHEMA_VALIDATION_FAILED: Missing required field 'States' at "},
      {R"({"StartAt":"A","States":{"A":{"Type":"Pass","Next":"NOPE"}}})",
       "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next\n"
       "MISSING_END_STATE: Workflow has no terminal state at "},
      {R"({"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"A"},
           "C":{"Type":"Pass","End":true}}})",
       "MISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C"},
      {R"({"StartAt":"S","States":{"E":{"Type":"Succeed"},"S":{"Type":"Choice","Choices":[
           {"Variable":"$.a","IsNull":true,"Next":"X"},{"Variable":"$.a","IsNull":false,"Next":"E"}],"Default":"Y"}}})",
       "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/S/Choices[0]/Next\n"
       "MISSING_TRANSITION_TARGET: Missing 'Next' target: Y at /States/S/Default"},
      {R"({"StartAt":"S","States":{"S":{"Type":"Parallel","End":true,"Branches":[
           {"StartAt":"S","States":{"S":{"Type":"Succeed"}}}]}}})",
       "DUPLICATE_STATE_NAME: Duplicate State name: S at /States/S/Branches[0]/States/S"},
  });
}

TEST(Definition, NamesThePlaceAndTheRuleOfFields) {
  check({
      {one_state(R"("Type":"Succeed","TimeoutSeconds":1)"),
       "SCHEMA_VALIDATION_FAILED: Field 'TimeoutSeconds' is not supported at /States/S"},
      {one_state(R"("Type":"Succeed","Output":1)"),
       "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the "
       "'JSONata' QueryLanguage at /States/S"},
      {one_state(R"("Type":"Succeed","QueryLanguage":"JSONata","InputPath":"$")"),
       "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for "
       "the 'JSONPath' QueryLanguage at /States/S"},
      {one_state(R"("Type":"Wait","Timestamp":"2016-12-05T21:29:29","End":true)"),
       "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/S/Timestamp"},
      {one_state(R"("Type":"Wait","Seconds":1,"SecondsPath":"$.a","End":true)"),
       "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [Seconds, SecondsPath] at "
       "/States/S\n"
       "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [Seconds, SecondsPath] at "
       "/States/S"},
      {one_state(R"("Type":"Pass","ResultPath":"$.a[*]","End":true)"),
       "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path: $.a[*] at /States/S/ResultPath"},
      {one_state(R"("Type":"Pass","Parameters":{"a":{"b.$":"nope"}},"End":true)"),
       "SCHEMA_VALIDATION_FAILED: The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic function "
       "call at /States/S/Parameters/a/b.$"},
      {one_state(R"("Type":"Pass","Parameters":{"a":"$.b"},"Assign":{"states":1},"End":true)"),
       "warning NO_DOLLAR: Field 'a' looks like a JSONPath or an intrinsic function but its name does not end with "
       "'.$' "
       "at /States/S/Parameters/a\n"
       "SCHEMA_VALIDATION_FAILED: Invalid variable name: 'states' at /States/S/Assign"},
      {one_state(R"("Type":"Pass","Result":{"a.$":"$"},"End":true)"),
       "warning PASS_RESULT_IS_STATIC: Result of a Pass state is static: paths in it are not evaluated, use Parameters "
       "at /States/S/Result"},
      {one_state(R"("Type":"Task","Resource":"arn:aws:iam::1:role/x","End":true)"),
       "INVALID_RESOURCE: Invalid Resource resource: arn:aws:iam::1:role/x at /States/S/Resource"},
      {one_state(R"("Type":"Choice","Choices":[{"Variable":"$.a","NumericEquals":"1","Next":"S"}])"),
       "SCHEMA_VALIDATION_FAILED: Expected value of type Number at /States/S/Choices[0]/NumericEquals\n"
       "MISSING_END_STATE: Workflow has no terminal state at "},
      {one_state(R"("Type":"Parallel","Branches":[],"End":true)"),
       "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/S/Branches"},
      {one_state(R"("Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,
                    "Retry":[{"ErrorEquals":["States.ALL","A"],"MaxAttempts":-1}])"),
       "SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and in the last retrier or catcher at "
       "/States/S/Retry[0]/ErrorEquals\n"
       "SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/S/Retry[0]/MaxAttempts"},
      {one_state(R"("Type":"Map","Label":"a b","MaxConcurrency":-1,"End":true,"ItemProcessor":{"StartAt":"I",
                    "QueryLanguage":"JSONata","States":{"I":{"Type":"Succeed"}}})"),
       "SCHEMA_VALIDATION_FAILED: Field 'QueryLanguage' is not supported at /States/S/ItemProcessor\n"
       "SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/S/MaxConcurrency\n"
       "INVALID_LABEL_NAME: Label contains invalid character: ' ' at /States/S/Label\n"
       "SCHEMA_VALIDATION_FAILED: Field is only supported for a Map with ProcessorConfig Mode DISTRIBUTED at "
       "/States/S/Label"},
      {R"({"QueryLanguage":"JSONata","StartAt":"S","States":{"S":{"QueryLanguage":"JSONPath","Type":"Succeed"}}})",
       "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at "
       "/States/S"},
  });
}

TEST(Definition, GivesTheMessageOfInvalidDefinition) {
  auto parsed = Definition::parse(R"({"StartAt":"A","States":{"A":{"Type":"Pass","Next":"NOPE"}}})");
  EXPECT_EQ(invalid_definition_message(parsed.diagnostics),
            "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at "
            "/States/A/Next, MISSING_END_STATE: Workflow has no terminal state at null'");
}

std::string nested_parallel(size_t levels) {
  std::string text = R"("Type":"Succeed")";
  for (size_t i = 0; i < levels; ++i) {
    std::string name = "N" + std::to_string(i);
    text = R"("Type":"Parallel","End":true,"Branches":[{"StartAt":")" + name + R"(","States":{")" + name + R"(":{)" +
           text + "}}}]";
  }
  return one_state(text);
}

std::string nested_condition(size_t levels) {
  std::string rule = R"({"Variable":"$.a","IsNull":true})";
  for (size_t i = 0; i < levels; ++i) rule = R"({"Not":)" + rule + "}";
  rule.insert(rule.size() - 1, R"(,"Next":"E")");
  return R"({"StartAt":"S","States":{"E":{"Type":"Succeed"},"S":{"Type":"Choice","Choices":[)" + rule + "]}}}";
}

TEST(Definition, HasLimits) {
  EXPECT_EQ(described(nested_parallel(kMaxMachineDepth)), "");
  EXPECT_TRUE(described(nested_parallel(kMaxMachineDepth + 1)).starts_with("TOO_DEEPLY_NESTED: States are too deeply"));
  EXPECT_EQ(described(nested_condition(kMaxConditionDepth)), "");
  EXPECT_TRUE(described(nested_condition(kMaxConditionDepth + 1)).starts_with("TOO_DEEPLY_NESTED: Choice rules"));
  std::string name(kMaxNameCharacters, 'n');
  EXPECT_EQ(described(R"({"StartAt":")" + name + R"(","States":{")" + name + R"(":{"Type":"Succeed"}}})"), "");
  name += 'n';
  EXPECT_TRUE(described(R"({"StartAt":")" + name + R"(","States":{")" + name + R"(":{"Type":"Succeed"}}})")
                  .starts_with("INVALID_STATE_NAME: "));
  std::string large = one_state(R"("Type":"Succeed","Comment":")" + std::string(kMaxDefinitionBytes, 'c') + "\"");
  EXPECT_TRUE(described(large).starts_with("INVALID_JSON_DESCRIPTION: "));
  std::string many;
  for (size_t i = 0; i <= kMaxStates; ++i) many += R"(,"S)" + std::to_string(i) + R"(":{"Type":"Succeed"})";
  EXPECT_NE(described(R"({"StartAt":"S0","States":{)" + many.substr(1) + "}}").find("has at most 10000 states"),
            std::string::npos);
  std::string unknown;
  for (size_t i = 0; i < 2 * kMaxDiagnostics; ++i) unknown += R"(,"X)" + std::to_string(i) + R"(":1)";
  EXPECT_EQ(Definition::parse(one_state(R"("Type":"Succeed")" + unknown)).diagnostics.size(), kMaxDiagnostics);
}

TEST(Timestamp, ReadsRfc3339) {
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:01Z"), (Moment{1, 0}));
  EXPECT_EQ(parse_timestamp("2016-03-14T01:59:00.5Z")->millis(), 1'457'920'740'500);
  EXPECT_EQ(parse_timestamp("1970-01-01T02:00:00+02:00"), (Moment{0, 0}));
  EXPECT_EQ(parse_timestamp("1969-12-31T22:30:00.000000001-01:30"), (Moment{0, 1}));
  for (const char* text : {"", "2016-03-14", "2016-03-14T01:59:00", "2016-13-05T21:29:29Z", "2016-02-30T21:29:29Z",
                           "2016-12-05T25:29:29Z", "05-12-2016T21:29:29Z", "2016-12-05t21:29:29Z",
                           "2016-12-05T21:29:29z", "2016-12-05T21:29:29.Z", "2016-12-05T21:29:29.0000000001Z",
                           "2016-12-05T21:29:29+0200", "2016-12-05T21:29:29Z ", "2016-12-05 21:29:29Z"}) {
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace hearth::definition
