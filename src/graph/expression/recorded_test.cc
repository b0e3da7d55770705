// Paths and intrinsics as the service evaluated them: Pass states of ../shared/data/asl/executions.json whose recorded
// outputs follow from Parameters, or fail by a path, alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "graph/expression/intrinsic.h"
#include "graph/expression/jsonata.h"
#include "graph/expression/path.h"
#include "graph/expression/test_data.h"

namespace hearth::expression {
namespace {

// A machine of one Pass state.
struct PassMachine {
  Value state;
  std::string name;
};

std::optional<PassMachine> pass_machine(std::string_view definition) {
  auto machine = parse_json_value(definition);
  if (!machine || !machine->is_object()) return std::nullopt;
  const Value* states = machine->find("States");
  if (states == nullptr || states->size() != 1) return std::nullopt;
  const Member& only = states->members()[0];
  const Value* type = only.value.find("Type");
  if (type == nullptr || type->as_string() != "Pass") return std::nullopt;
  return PassMachine{only.value, std::string(only.name())};
}

Result<Value> fill(const Value& pattern, const PathScope& scope) {
  if (pattern.is_array()) {
    std::vector<Value> items;
    for (const Value& item : pattern.items()) {
      TRY_ASSIGN(Value filled, fill(item, scope));
      items.push_back(std::move(filled));
    }
    return Value::array(std::move(items));
  }
  if (!pattern.is_object()) return pattern;
  std::vector<Member> members;
  for (const Member& member : pattern.members()) {
    if (!member.name().ends_with(".$")) {
      TRY_ASSIGN(Value filled, fill(member.value, scope));
      members.push_back({member.key, std::move(filled)});
      continue;
    }
    std::string_view text = member.value.as_string();
    Value key = Value::string(member.name().substr(0, member.name().size() - 2));
    if (Intrinsic::is_call(text)) {
      TRY_ASSIGN(Intrinsic intrinsic, Intrinsic::compile(text));
      TRY_ASSIGN(Value value, intrinsic.evaluate(scope, [] { return uint64_t{0}; }));
      members.push_back({key, std::move(value)});
    } else {
      TRY_ASSIGN(Path path, Path::compile(text));
      TRY_ASSIGN(Value value, path.read(scope, PastEnd::is_null));
      members.push_back({key, std::move(value)});
    }
  }
  return Value::object(std::move(members));
}

// What the state makes of its input: Parameters, or the JSONata of Output; InputPath and OutputPath alone otherwise.
Result<Value> run(const Value& state, const Value& input) {
  Value context = Value::object({{Value::string("Execution"), Value::object({{Value::string("Input"), input}})}});
  PathScope scope{input, context, nullptr};
  if (const Value* output = state.find("Output"); output != nullptr) {
    if (!output->is_string() || !output->as_string().starts_with("{%")) return *output;
    std::string_view text = output->as_string();
    TRY_ASSIGN(Jsonata jsonata, Jsonata::compile(text.substr(2, text.size() - 4)));
    Value states = Value::object({{Value::string("input"), input}});
    std::pair<std::string_view, Value> bindings[] = {{"states", states}};
    return jsonata.evaluate(Value(), bindings, {});
  }
  Value data = input;
  for (const char* field : {"InputPath", "OutputPath"}) {
    const Value* path = state.find(field);
    if (path == nullptr) continue;
    TRY_ASSIGN(Path compiled, Path::compile(path->as_string()));
    TRY_ASSIGN(data, compiled.read({data, context, nullptr}));
  }
  const Value* parameters = state.find("Parameters");
  return parameters == nullptr ? data : fill(*parameters, {data, context, nullptr});
}

// The states whose outcome this file can compute: nothing random, nothing of the context but the execution's input.
bool is_computable(const Value& state) {
  std::string text = to_json(state);
  for (const char* other :
       {"ResultPath", "\"Result\"", "Assign", "UUID", "$$.StateMachine", "$$.Execution.Name", "$$.State", "\"$$\"",
        "$states.context", "$$.Execution.Id", "\"Output\":{", "$uuid", "$random"}) {
    if (text.find(other) != std::string::npos) return false;
  }
  bool computes = false;
  for (const char* field : {"Parameters", "InputPath", "OutputPath", "Output"})
    computes = computes || state.find(field) != nullptr;
  return computes;
}

// Recorded values are compared parsed: a string that holds JSON equals the JSON.
bool same(const Value& recorded, const Value& computed) {
  if (deep_equal_spelled(recorded, computed)) return true;
  if (recorded.is_string()) {
    auto parsed = parse_json_value(recorded.as_string());
    return parsed && deep_equal_spelled(*parsed, computed);
  }
  if (recorded.is_object() && computed.is_string()) {
    auto parsed = parse_json_value(computed.as_string());
    return parsed && deep_equal(*parsed, recorded);
  }
  return false;
}

struct Recording {
  Value output;       // of the Pass state
  std::string cause;  // of the failed execution
};

std::vector<Recording> recordings_of(const Value& expected) {
  std::vector<Recording> recordings;
  for (const Member& reply : expected.members()) {
    const Value* events = reply.value.find("events");
    if (events == nullptr) continue;
    Recording recording;
    for (const Value& event : events->items()) {
      if (const Value* exited = event.find("stateExitedEventDetails")) recording.output = *exited->find("output");
      if (const Value* failed = event.find("executionFailedEventDetails"))
        recording.cause = failed->find("cause")->as_string();
    }
    recordings.push_back(std::move(recording));
  }
  return recordings;
}

// Histories of several executions are kept by reply name, whose order need not be the steps': match as sets.
bool explains(const Recording& recording, const Result<Value>& outcome) {
  if (outcome && outcome->is_undefined()) return recording.cause.ends_with("returned nothing (undefined).");
  if (outcome) return recording.cause.empty() && same(recording.output, *outcome);
  std::string_view message = outcome.error().message;
  bool named = recording.cause.ends_with(message) ||
               recording.cause.find("could not be found in the input") != std::string::npos;
  return !recording.cause.empty() && named;
}

TEST(Recorded, PassStatesOfTheService) {
  auto data = testing::load_data("asl/executions.json");
  if (!data) GTEST_SKIP() << "asl/executions.json is not on this machine (see HEARTH_DATA)";
  size_t checked = 0;
  for (const Value& test : data->items()) {
    std::optional<PassMachine> machine;
    std::vector<Value> inputs;
    for (const Value& step : test.find("steps")->items()) {
      std::string_view kind = step.items()[0].as_string();
      if (kind == "create") machine = pass_machine(step.items()[2].as_string());
      if (kind == "start")
        inputs.push_back(step.items()[2].is_string() ? testing::json(step.items()[2].as_string())
                                                     : testing::json("{}"));
    }
    if (!machine || inputs.empty() || !is_computable(machine->state)) continue;
    std::vector<Recording> recordings = recordings_of(*test.find("expected"));
    if (recordings.size() != inputs.size()) continue;
    for (const Value& input : inputs) {
      Result<Value> outcome = run(machine->state, input);
      auto found = std::ranges::find_if(recordings, [&](const Recording& r) { return explains(r, outcome); });
      EXPECT_NE(found, recordings.end()) << test.find("id")->as_string() << "\n  state " << to_json(machine->state)
                                         << "\n  input " << to_json(input) << "\n  computed "
                                         << (outcome ? to_json(*outcome) : outcome.error().message);
      if (found != recordings.end()) recordings.erase(found);
      ++checked;
    }
  }
  std::cout << "asl: " << checked << " recorded executions of Pass states checked\n";
  EXPECT_GE(checked, 50U);
}

}  // namespace
}  // namespace hearth::expression
