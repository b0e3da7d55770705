#include "graph/engine/flow.h"

#include <optional>
#include <utility>
#include <vector>

namespace hearth::engine {

using definition::FlowPath;
using definition::Language;
using definition::ResultPath;
using definition::State;
using definition::Template;
using expression::Member;
using expression::Value;

namespace {

Value empty_object() { return Value::object({}); }

// `$states`: the input, the context object, and the result or the error when there is one.
Value states_of(const Value& input, const Value& context, std::string_view extra_name = {}, Value extra = {}) {
  std::vector<Member> members{{Value::string("input"), input}, {Value::string("context"), context}};
  if (!extra_name.empty()) members.push_back({Value::string(extra_name), std::move(extra)});
  return Value::object(std::move(members));
}

Evaluated<> apply_path(const FlowPath& flow, const Value& value, const FlowScope& scope) {
  if (flow.discards) return empty_object();
  if (!flow.path) return value;
  const expression::PathScope paths{value, scope.context,
                                    [&scope](std::string_view name) { return scope.variables.find(name); }};
  auto read = flow.path->read(paths);
  if (read) return *std::move(read);
  return std::unexpected(Fault{kRuntime, "Invalid path '" + flow.path->text() + "' : " + read.error().message, {}});
}

Evaluated<> place_result(const ResultPath& where, const Value& input, const Value& result) {
  if (where.discards) return input;
  if (!where.path) return result;
  auto written = where.path->write(input, result);
  if (written) return *std::move(written);
  return std::unexpected(Fault{kResultPathMatchFailure, written.error().message, {}});
}

Evaluated<> fill(const std::optional<Template>& field, const Value& data, const Value& states, const FlowScope& scope) {
  return evaluate(*field, Scope{data, scope.context, scope.variables, states, scope.surroundings});
}

Evaluated<> assigned_of(const std::optional<Template>& assign, const Value& data, const Value& states,
                        const FlowScope& scope) {
  if (!assign) return Value();
  auto assigned = fill(assign, data, states, scope);
  if (assigned && assigned->size() == 0) return Value();
  return assigned;
}

Evaluated<Exit> exit_of_jsonata(const std::optional<Template>& output, const std::optional<Template>& assign,
                                const Value& without_output, const Value& states, const FlowScope& scope) {
  Exit exit{without_output, {}};
  if (output) {
    auto filled = fill(output, without_output, states, scope);
    if (!filled) return std::unexpected(std::move(filled).error());
    exit.output = *std::move(filled);
  }
  auto assigned = assigned_of(assign, without_output, states, scope);
  if (!assigned) return std::unexpected(std::move(assigned).error());
  exit.assigned = *std::move(assigned);
  return exit;
}

}  // namespace

Evaluated<> effective_input(const State& state, const Value& input, const FlowScope& scope) {
  return apply_path(state.input_path, input, scope);
}

Evaluated<> arguments_of(const State& state, const Value& effective, const FlowScope& scope) {
  if (!state.arguments) return effective;
  return fill(state.arguments, effective, states_of(effective, scope.context), scope);
}

Evaluated<Exit> exit_with_result(const State& state, const Value& input, const Value& result, const FlowScope& scope) {
  if (state.language == Language::jsonata) {
    return exit_of_jsonata(state.output, state.assign, result, states_of(input, scope.context, "result", result),
                           scope);
  }
  Value selected = result;
  if (state.result_selector) {
    auto filled = fill(state.result_selector, result, Value(), scope);
    if (!filled) return std::unexpected(std::move(filled).error());
    selected = *std::move(filled);
  }
  auto assigned = assigned_of(state.assign, selected, Value(), scope);
  if (!assigned) return std::unexpected(std::move(assigned).error());
  auto placed = place_result(state.result_path, input, selected);
  if (!placed) return std::unexpected(std::move(placed).error());
  auto output = apply_path(state.output_path, *placed, scope);
  if (!output) return std::unexpected(std::move(output).error());
  return Exit{*std::move(output), *std::move(assigned)};
}

Evaluated<Exit> exit_with_error(const definition::Catcher& catcher, const State& state, const Value& input,
                                const Value& error_output, const FlowScope& scope) {
  if (state.language == Language::jsonata) {
    return exit_of_jsonata(catcher.output, catcher.assign, error_output,
                           states_of(input, scope.context, "errorOutput", error_output), scope);
  }
  auto assigned = assigned_of(catcher.assign, error_output, Value(), scope);
  if (!assigned) return std::unexpected(std::move(assigned).error());
  auto output = place_result(catcher.result_path, input, error_output);
  if (!output) return std::unexpected(std::move(output).error());
  return Exit{*std::move(output), *std::move(assigned)};
}

}  // namespace hearth::engine
