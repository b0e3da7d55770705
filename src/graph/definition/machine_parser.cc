#include "graph/definition/machine_parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "graph/definition/choice_parser.h"
#include "graph/definition/definition.h"
#include "graph/definition/expressions.h"
#include "graph/definition/reachability.h"
#include "graph/definition/resource.h"
#include "graph/definition/state_fields.h"
#include "graph/definition/timestamp.h"
#include "graph/expression/utf8.h"

namespace hearth::definition {

using expression::Member;
using expression::Value;

namespace {

constexpr auto kTypes = std::to_array<std::pair<std::string_view, StateType>>({
    {"Task", StateType::task},
    {"Pass", StateType::pass},
    {"Choice", StateType::choice},
    {"Wait", StateType::wait},
    {"Succeed", StateType::succeed},
    {"Fail", StateType::fail},
    {"Parallel", StateType::parallel},
    {"Map", StateType::map},
});
static_assert(kTypes.size() == kStateTypes);

bool has_control_characters(std::string_view name) {
  return std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

std::string_view to_string(StateType type) {
  return std::ranges::find(kTypes, type, &std::pair<std::string_view, StateType>::second)->first;
}

Machine MachineParser::parse(const Fields& fields, size_t depth) {
  Machine machine;
  if (depth > kMaxMachineDepth) {
    findings_.error(kTooDeeplyNested, fields.location(), "States are too deeply nested");
    return machine;
  }
  fields.require("StartAt");
  fields.require("States");
  const Value* states = fields.object("States");
  if (states == nullptr) return machine;
  Fields inside(findings_, *states, fields.at("States"));
  if (states->size() == 0) inside.error({}, "Value cannot be empty");
  Names names = read_names(inside);
  if (all_names_.size() > kMaxStates) return machine;
  machine.start = target(fields, "StartAt", names);
  for (const Member& member : states->members()) {
    std::string where = inside.at(member.name());
    if (!member.value.is_object()) {
      findings_.error(kSchema, where, "Expected value of type Object");
      machine.states.emplace_back().name = member.name();
      continue;
    }
    machine.states.push_back(parse_state(Fields(findings_, member.value, where), member.name(), names, depth));
  }
  check_reachability(machine, inside.location(), findings_);
  return machine;
}

MachineParser::Names MachineParser::read_names(const Fields& states) {
  Names names;
  for (const Member& member : states.object().members()) {
    std::string name(member.name());
    if (name.empty() || expression::count_code_points(name) > kMaxNameCharacters || has_control_characters(name)) {
      findings_.error(
          kInvalidStateName, states.at(name),
          "State name must have 1 to " + std::to_string(kMaxNameCharacters) + " characters and no control characters");
    }
    if (!all_names_.insert(name).second)
      findings_.error(kDuplicateStateName, states.at(name), "Duplicate State name: " + name);
    names.emplace(member.name(), names.size());
  }
  if (all_names_.size() > kMaxStates)
    states.error({}, "A state machine has at most " + std::to_string(kMaxStates) + " states");
  return names;
}

size_t MachineParser::target(const Fields& fields, std::string_view field, const Names& names) {
  auto name = fields.text(field);
  if (!name) return kNoState;
  auto found = names.find(*name);
  if (found != names.end()) return found->second;
  findings_.error(kMissingTarget, fields.at(field), "Missing 'Next' target: " + std::string(*name));
  return kNoState;
}

Language MachineParser::read_language(const Fields& fields) {
  auto text = fields.text("QueryLanguage");
  if (!text) return language_;
  if (*text != "JSONata" && *text != "JSONPath") {
    fields.error("QueryLanguage", "Value must be one of [JSONPath, JSONata]");
    return language_;
  }
  Language language = *text == "JSONata" ? Language::jsonata : Language::jsonpath;
  if (language == Language::jsonpath && language_ == Language::jsonata)
    fields.error({}, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine");
  return language;
}

State MachineParser::parse_state(const Fields& fields, std::string_view name, const Names& names, size_t depth) {
  State state;
  state.name = name;
  fields.require("Type");
  auto text = fields.text("Type");
  if (!text) return state;
  const auto* type = std::ranges::find(kTypes, *text, &std::pair<std::string_view, StateType>::first);
  if (type == kTypes.end()) {
    fields.error("Type", "Value must be one of [Task, Pass, Choice, Wait, Succeed, Fail, Parallel, Map]");
    return state;
  }
  state.type = type->second;
  fields.text("Comment");
  state.language = read_language(fields);
  check_state_fields(fields, state.type, state.language);
  parse_flow(fields, state);
  parse_transition(fields, names, state);
  parse_part(fields, names, depth, state);
  parse_retry(fields, state);
  parse_catch(fields, names, state);
  return state;
}

void MachineParser::parse_flow(const Fields& fields, State& state) {
  bool jsonata = state.language == Language::jsonata;
  if (!jsonata) {
    state.input_path = read_flow_path(fields, "InputPath");
    state.output_path = read_flow_path(fields, "OutputPath");
    state.result_path = read_result_path(fields);
    state.result_selector = read_template(fields, "ResultSelector", state.language);
  } else {
    state.output = read_template(fields, "Output", state.language);
  }
  state.arguments = read_template(fields, jsonata ? "Arguments" : "Parameters", state.language);
  state.assign = read_assign(fields, state.language);
}

void MachineParser::parse_transition(const Fields& fields, const Names& names, State& state) {
  bool leaves = state.type != StateType::choice && state.type != StateType::succeed && state.type != StateType::fail;
  if (!leaves) return;
  fields.at_most_one({"Next", "End"});
  state.next = target(fields, "Next", names);
  state.end = fields.flag("End").value_or(false);
  if (!fields.has("Next") && !state.end) fields.error({}, "Missing 'Next' or 'End'");
}

void MachineParser::parse_part(const Fields& fields, const Names& names, size_t depth, State& state) {
  switch (state.type) {
    case StateType::task:
      return parse_task(fields, state);
    case StateType::pass:
      return parse_pass(fields, state);
    case StateType::choice:
      return parse_choice(fields, names, state);
    case StateType::wait:
      return parse_wait(fields, state);
    case StateType::succeed:
      return;
    case StateType::fail:
      return parse_fail(fields, state);
    case StateType::parallel:
      return parse_parallel(fields, depth, state);
    case StateType::map:
      return parse_map(fields, depth, state);
  }
}

void MachineParser::parse_task(const Fields& fields, State& state) {
  TaskPart task;
  fields.require("Resource");
  if (auto arn = fields.text("Resource")) {
    auto resource = parse_resource(*arn);
    if (resource) {
      task.resource = *std::move(resource);
    } else {
      findings_.error(kInvalidResource, fields.at("Resource"), resource.error().message);
    }
  }
  Range seconds{1, static_cast<double>(kMaxSeconds)};
  task.timeout = read_scalar(fields, "TimeoutSeconds", state.language, Scalar::whole, seconds);
  task.heartbeat = read_scalar(fields, "HeartbeatSeconds", state.language, Scalar::whole, seconds);
  state.part = std::move(task);
}

void MachineParser::parse_pass(const Fields& fields, State& state) {
  PassPart pass;
  if (const Value* result = fields.find("Result")) {
    fields.at_most_one({"Result", "Parameters"});
    pass.result = *result;
    bool dollar =
        std::ranges::any_of(result->members(), [](const Member& member) { return member.name().ends_with(".$"); });
    if (dollar) {
      findings_.warning(kPassResultIsStatic, fields.at("Result"),
                        "Result of a Pass state is static: paths in it are not evaluated, use Parameters");
    }
  }
  state.part = std::move(pass);
}

ChoiceRule MachineParser::parse_rule(const Fields& fields, const Names& names, Language language) {
  ChoiceRule rule;
  fields.require("Next");
  rule.next = target(fields, "Next", names);
  rule.assign = read_assign(fields, language);
  if (language == Language::jsonpath) {
    rule.condition = parse_condition(fields, true, 0);
  } else {
    rule.output = read_template(fields, "Output", language);
    rule.condition = parse_jsonata_condition(fields);
  }
  return rule;
}

void MachineParser::parse_choice(const Fields& fields, const Names& names, State& state) {
  ChoicePart choice;
  fields.require("Choices");
  if (const Value* rules = fields.array("Choices")) {
    if (rules->size() == 0) fields.error("Choices", "Value cannot be empty");
    for (size_t i = 0; i < rules->size(); ++i) {
      std::string where = at_index(fields.at("Choices"), i);
      const Value& rule = rules->items()[i];
      if (!rule.is_object()) {
        findings_.error(kSchema, where, "Expected value of type Object");
        continue;
      }
      choice.rules.push_back(parse_rule(Fields(findings_, rule, where), names, state.language));
    }
  }
  choice.otherwise = target(fields, "Default", names);
  state.part = std::move(choice);
}

void MachineParser::parse_wait(const Fields& fields, State& state) {
  fields.at_most_one({"Seconds", "SecondsPath", "Timestamp", "TimestampPath"});
  auto seconds = read_scalar(fields, "Seconds", state.language, Scalar::whole, {0, static_cast<double>(kMaxSeconds)});
  auto timestamp = read_scalar(fields, "Timestamp", state.language, Scalar::text);
  if (timestamp && timestamp->is_constant() && !parse_timestamp(std::get<Value>(timestamp->form).as_string()))
    fields.error("Timestamp", "String does not match RFC3339 timestamp");
  bool any =
      fields.has("Seconds") || fields.has("SecondsPath") || fields.has("Timestamp") || fields.has("TimestampPath");
  if (!any)
    fields.error({}, "There must be one of the following fields: [Seconds, SecondsPath, Timestamp, TimestampPath]");
  WaitPart wait{.is_timestamp = timestamp.has_value()};
  if (timestamp) wait.until = *std::move(timestamp);
  if (seconds) wait.until = *std::move(seconds);
  state.part = std::move(wait);
}

void MachineParser::parse_fail(const Fields& fields, State& state) {
  state.part = FailPart{.error = read_scalar(fields, "Error", state.language, Scalar::text),
                        .cause = read_scalar(fields, "Cause", state.language, Scalar::text)};
}

void MachineParser::parse_parallel(const Fields& fields, size_t depth, State& state) {
  fields.require("Branches");
  const Value* branches = fields.array("Branches");
  if (branches == nullptr) return;
  if (branches->size() == 0) fields.error("Branches", "Value cannot be empty");
  for (size_t i = 0; i < branches->size(); ++i) {
    Fields branch(findings_, branches->items()[i], at_index(fields.at("Branches"), i));
    if (!branch.object().is_object()) {
      branch.error({}, "Expected value of type Object");
      continue;
    }
    branch.allow_only({"StartAt", "States", "Comment"});
    state.machines.push_back(parse(branch, depth + 1));
  }
}

}  // namespace hearth::definition
