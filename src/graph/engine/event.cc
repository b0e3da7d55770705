#include "graph/engine/event.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "graph/expression/json_text.h"

namespace hearth::engine {

using expression::Member;
using expression::Value;

namespace {

struct TypeRow {
  std::string_view name;
  std::string_view details;  // the member of HistoryEvent; empty: none
  std::string_view payload;  // the member of the details that is JSON text; empty: none
};

// In the order of EventType.
constexpr auto kTypes = std::to_array<TypeRow>({
    {"ActivityFailed", "activityFailedEventDetails", ""},
    {"ActivityScheduleFailed", "activityScheduleFailedEventDetails", ""},
    {"ActivityScheduled", "activityScheduledEventDetails", "input"},
    {"ActivityStarted", "activityStartedEventDetails", ""},
    {"ActivitySucceeded", "activitySucceededEventDetails", "output"},
    {"ActivityTimedOut", "activityTimedOutEventDetails", ""},
    {"ChoiceStateEntered", "stateEnteredEventDetails", "input"},
    {"ChoiceStateExited", "stateExitedEventDetails", "output"},
    {"EvaluationFailed", "evaluationFailedEventDetails", ""},
    {"ExecutionAborted", "executionAbortedEventDetails", ""},
    {"ExecutionFailed", "executionFailedEventDetails", ""},
    {"ExecutionRedriven", "executionRedrivenEventDetails", ""},
    {"ExecutionStarted", "executionStartedEventDetails", "input"},
    {"ExecutionSucceeded", "executionSucceededEventDetails", "output"},
    {"ExecutionTimedOut", "executionTimedOutEventDetails", ""},
    {"FailStateEntered", "stateEnteredEventDetails", "input"},
    {"LambdaFunctionFailed", "lambdaFunctionFailedEventDetails", ""},
    {"LambdaFunctionScheduleFailed", "lambdaFunctionScheduleFailedEventDetails", ""},
    {"LambdaFunctionScheduled", "lambdaFunctionScheduledEventDetails", "input"},
    {"LambdaFunctionStartFailed", "lambdaFunctionStartFailedEventDetails", ""},
    {"LambdaFunctionStarted", "", ""},
    {"LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails", "output"},
    {"LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails", ""},
    {"MapIterationAborted", "mapIterationAbortedEventDetails", ""},
    {"MapIterationFailed", "mapIterationFailedEventDetails", ""},
    {"MapIterationStarted", "mapIterationStartedEventDetails", ""},
    {"MapIterationSucceeded", "mapIterationSucceededEventDetails", ""},
    {"MapRunAborted", "", ""},
    {"MapRunFailed", "mapRunFailedEventDetails", ""},
    {"MapRunRedriven", "mapRunRedrivenEventDetails", ""},
    {"MapRunStarted", "mapRunStartedEventDetails", ""},
    {"MapRunSucceeded", "", ""},
    {"MapStateAborted", "", ""},
    {"MapStateEntered", "stateEnteredEventDetails", "input"},
    {"MapStateExited", "stateExitedEventDetails", "output"},
    {"MapStateFailed", "", ""},
    {"MapStateStarted", "mapStateStartedEventDetails", ""},
    {"MapStateSucceeded", "", ""},
    {"ParallelStateAborted", "", ""},
    {"ParallelStateEntered", "stateEnteredEventDetails", "input"},
    {"ParallelStateExited", "stateExitedEventDetails", "output"},
    {"ParallelStateFailed", "", ""},
    {"ParallelStateStarted", "", ""},
    {"ParallelStateSucceeded", "", ""},
    {"PassStateEntered", "stateEnteredEventDetails", "input"},
    {"PassStateExited", "stateExitedEventDetails", "output"},
    {"SucceedStateEntered", "stateEnteredEventDetails", "input"},
    {"SucceedStateExited", "stateExitedEventDetails", "output"},
    {"TaskFailed", "taskFailedEventDetails", ""},
    {"TaskScheduled", "taskScheduledEventDetails", "parameters"},
    {"TaskStartFailed", "taskStartFailedEventDetails", ""},
    {"TaskStarted", "taskStartedEventDetails", ""},
    {"TaskStateAborted", "", ""},
    {"TaskStateEntered", "stateEnteredEventDetails", "input"},
    {"TaskStateExited", "stateExitedEventDetails", "output"},
    {"TaskSubmitFailed", "taskSubmitFailedEventDetails", ""},
    {"TaskSubmitted", "taskSubmittedEventDetails", "output"},
    {"TaskSucceeded", "taskSucceededEventDetails", "output"},
    {"TaskTimedOut", "taskTimedOutEventDetails", ""},
    {"WaitStateAborted", "", ""},
    {"WaitStateEntered", "stateEnteredEventDetails", "input"},
    {"WaitStateExited", "stateExitedEventDetails", "output"},
});
static_assert(kTypes.size() == static_cast<size_t>(EventType::wait_state_exited) + 1);

const TypeRow& row_of(EventType type) { return kTypes[static_cast<size_t>(type)]; }

Member member(std::string_view name, Value value) { return {Value::string(name), std::move(value)}; }

Value not_truncated() { return Value::object({member("truncated", Value::boolean(false))}); }

Value text_of(const Value& value) { return Value::string(expression::to_json(value)); }

// Parameters have no flag of truncation in the API.
void add_payload(const Event& event, std::string_view name, std::vector<Member>& members) {
  bool sent = event.details.find(name) != nullptr;  // as text, among the details
  if (event.payload.is_undefined() && !sent) return;
  if (!sent) members.push_back(member(name, text_of(event.payload)));
  if (name != "parameters") members.push_back(member(std::string(name) + "Details", not_truncated()));
}

Value details_of(const Event& event, const TypeRow& row) {
  std::vector<Member> members(event.details.members().begin(), event.details.members().end());
  if (!row.payload.empty()) add_payload(event, row.payload, members);
  if (!event.assigned.is_undefined()) {
    std::vector<Member> variables;
    for (const Member& variable : event.assigned.members())
      variables.push_back({variable.key, text_of(variable.value)});
    members.push_back(member("assignedVariables", Value::object(std::move(variables))));
    members.push_back(member("assignedVariablesDetails", not_truncated()));
  }
  return Value::object(std::move(members));
}

void add_if_there(std::vector<Member>& members, std::string_view name, const Value& value) {
  if (!value.is_undefined()) members.push_back(member(name, value));
}

Failure refused(std::string_view name) {
  return fail(Kind::invalid, "no event of a journal: its member '" + std::string(name) + "'");
}

Result<int64_t> read_integer(const Value& entry, std::string_view name) {
  const Value* value = entry.find(name);
  auto number = value == nullptr ? std::nullopt : value->is_integer() ? value->as_integer() : std::nullopt;
  if (!number || *number < 0) return refused(name);
  return *number;
}

Result<Value> read_part(const Value& entry, std::string_view name, bool is_object) {
  const Value* value = entry.find(name);
  if (value == nullptr) return Value();
  if (is_object && !value->is_object()) return refused(name);
  return *value;
}

}  // namespace

std::string_view to_string(EventType type) { return row_of(type).name; }

Value to_history(const Event& event) {
  const TypeRow& row = row_of(event.type);
  std::vector<Member> members{
      member("timestamp", Value::number(static_cast<double>(event.time_ms) / 1000)),
      member("type", Value::string(row.name)),
      member("id", Value::integer(event.id)),
      member("previousEventId", Value::integer(event.previous_id)),
  };
  if (!row.details.empty()) members.push_back(member(row.details, details_of(event, row)));
  return Value::object(std::move(members));
}

std::string encode(const Event& event) {
  std::vector<Member> members{
      member("type", Value::string(to_string(event.type))),  member("id", Value::integer(event.id)),
      member("previous", Value::integer(event.previous_id)), member("time", Value::integer(event.time_ms)),
      member("strand", Value::integer(event.strand)),
  };
  add_if_there(members, "details", event.details);
  add_if_there(members, "payload", event.payload);
  add_if_there(members, "assigned", event.assigned);
  add_if_there(members, "note", event.note);
  return expression::to_json(Value::object(std::move(members)));
}

Result<Event> decode(std::string_view text) {
  TRY_ASSIGN(Value entry, expression::parse_json_value(text));
  const Value* type = entry.find("type");
  if (type == nullptr || !type->is_string()) return refused("type");
  const TypeRow* row = std::ranges::find(kTypes, type->as_string(), &TypeRow::name);
  if (row == kTypes.end()) return refused("type");
  Event event;
  event.type = static_cast<EventType>(row - kTypes.begin());
  TRY_ASSIGN(event.id, read_integer(entry, "id"));
  TRY_ASSIGN(event.previous_id, read_integer(entry, "previous"));
  TRY_ASSIGN(event.time_ms, read_integer(entry, "time"));
  TRY_ASSIGN(int64_t strand, read_integer(entry, "strand"));
  if (strand > UINT32_MAX) return refused("strand");
  event.strand = static_cast<uint32_t>(strand);
  TRY_ASSIGN(event.details, read_part(entry, "details", true));
  TRY_ASSIGN(event.payload, read_part(entry, "payload", false));
  TRY_ASSIGN(event.assigned, read_part(entry, "assigned", true));
  TRY_ASSIGN(event.note, read_part(entry, "note", false));
  return event;
}

}  // namespace hearth::engine
