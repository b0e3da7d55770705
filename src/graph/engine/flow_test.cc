#include "graph/engine/flow.h"

#include <gtest/gtest.h>

#include <string>

#include "graph/definition/definition.h"
#include "graph/expression/json_text.h"
#include "graph/expression/test_data.h"

namespace hearth::engine {
namespace {

using definition::Definition;
using definition::State;
using expression::Value;
using expression::testing::json;

// A machine of one state S and what a state S' with these fields makes of an input.
class Flow {
 public:
  explicit Flow(const std::string& fields)
      : parsed_(Definition::parse(R"({"StartAt":"S","States":{"S":{"End":true,)" + fields + R"(}}})")) {
    surroundings_.random = [] { return uint64_t{0}; };
  }

  const State& state() const { return parsed_.definition->machine().states[0]; }
  FlowScope scope() const { return {context_, variables_, surroundings_}; }

  std::string arguments(std::string_view input) const {
    auto effective = effective_input(state(), json(input), scope());
    if (!effective) return effective.error().cause;
    auto arguments = arguments_of(state(), *effective, scope());
    return arguments ? to_json(*arguments) : arguments.error().cause;
  }

  std::string exit(std::string_view input, std::string_view result) const {
    return print(exit_with_result(state(), json(input), json(result), scope()));
  }

  std::string caught(std::string_view input) const {
    return print(
        exit_with_error(state().catchers[0], state(), json(input), json(R"({"Error":"E","Cause":"C"})"), scope()));
  }

 private:
  static std::string print(const Evaluated<Exit>& exit) {
    if (!exit) return std::string(exit.error().error) + ": " + exit.error().cause;
    std::string text = to_json(exit->output);
    return exit->assigned.is_undefined() ? text : text + " " + to_json(exit->assigned);
  }

  Definition::Parsed parsed_;
  Value context_ = json(R"({"State":{"Name":"S"}})");
  Value variables_ = json(R"({"v":1})");
  expression::Surroundings surroundings_;
};

const std::string kTask = R"("Type":"Task","Resource":"arn:aws:states:::lambda:invoke",)";
const std::string kJsonata = kTask + R"("QueryLanguage":"JSONata",)";

TEST(Flow, GivesTheWorkItsInput) {
  EXPECT_EQ(Flow(kTask + R"("InputPath":"$.a")").arguments(R"({"a":[1.0]})"), "[1.0]");
  EXPECT_EQ(Flow(kTask + R"("InputPath":null)").arguments(R"({"a":1})"), "{}");
  EXPECT_EQ(Flow(kTask + R"("InputPath":"$v")").arguments("{}"), "1");
  EXPECT_EQ(Flow(kTask + R"("InputPath":"$.a","Parameters":{"x.$":"$.b"})").arguments(R"({"a":{"b":2}})"),
            R"({"x":2})");
  EXPECT_EQ(Flow(kTask + R"("InputPath":"$.none")").arguments("{}"),
            "Invalid path '$.none' : No results for path: $['none']");
  EXPECT_EQ(Flow(kJsonata + R"("Arguments":{"x":"{% $states.input.a + $v %}","n":"{% $states.context.State.Name %}"})")
                .arguments(R"({"a":2})"),
            R"({"x":3,"n":"S"})");
}

TEST(Flow, GivesTheStateItsOutput) {
  EXPECT_EQ(Flow(kTask + R"("Comment":"")").exit("1", "2"), "2");
  EXPECT_EQ(Flow(kTask + R"("ResultPath":null)").exit("1", "2"), "1");
  EXPECT_EQ(Flow(kTask + R"("ResultPath":"$.r.s")").exit(R"({"a":1})", "2"), R"({"a":1,"r":{"s":2}})");
  EXPECT_EQ(
      Flow(kTask + R"("ResultSelector":{"x.$":"$.p"},"ResultPath":"$.r","OutputPath":"$.r.x","Assign":{"w.$":"$.x"})")
          .exit("{}", R"({"p":7})"),
      R"(7 {"w":7})");
  EXPECT_EQ(Flow(kTask + R"("OutputPath":null,"Assign":{})").exit("1", "2"), "{}");
  EXPECT_EQ(Flow(kTask + R"("ResultPath":"$.a.b")").exit(R"({"a":1})", "2"),
            R"(States.ResultPathMatchFailure: Unable to apply step "b" to input {"a":1})");
  EXPECT_EQ(Flow(kJsonata + R"("Comment":"")").exit("1", "2"), "2");
  EXPECT_EQ(Flow(kJsonata + R"("Output":"{% $states.result + $states.input %}","Assign":{"w":"{% $v + 1 %}"})")
                .exit("1", "2"),
            R"(3 {"w":2})");
}

TEST(Flow, GivesWhatACatcherMakesOfAnError) {
  const std::string all = R"("Catch":[{"ErrorEquals":["States.ALL"],"Next":"S",)";
  EXPECT_EQ(Flow(kTask + all + R"("Comment":""}])").caught(R"({"a":1})"), R"({"Error":"E","Cause":"C"})");
  EXPECT_EQ(Flow(kTask + R"("OutputPath":"$.none",)" + all + R"("ResultPath":"$.e","Assign":{"w.$":"$.Error"}}])")
                .caught(R"({"a":1})"),
            R"({"a":1,"e":{"Error":"E","Cause":"C"}} {"w":"E"})");
  EXPECT_EQ(Flow(kJsonata + all + R"("Output":"{% $states.errorOutput.Error & $states.input %}"}])").caught("5"),
            R"("E5")");
}

}  // namespace
}  // namespace hearth::engine
