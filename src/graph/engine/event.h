// Event: one entry of an execution's history, and what its journal keeps beside it.
//
// The history is what GetExecutionHistory returns; the journal is what the execution is restored from. So:
//  1. Events of the history have ids 1, 2, 3 … without a gap; `id` 0 is an entry of the journal alone.
//  2. `previous_id` is an earlier event, or 0 as the service writes it for the first two.
//  3. A payload is kept as the value it is and becomes text only for the API: inputs, outputs and parameters are JSON
//  text
//     inside JSON there. `details` has the other members of the details, in the API's spelling. ExecutionStarted keeps
//     its input there too, as the text that was sent, since spaces in it are shown.
//  4. `strand` says whose step it is (the execution itself, a branch, an iteration) and `note` what the history lacks.
// Immutable once made; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "graph/expression/value.h"

namespace hearth::engine {

enum class EventType : uint8_t {
  activity_failed,
  activity_schedule_failed,
  activity_scheduled,
  activity_started,
  activity_succeeded,
  activity_timed_out,
  choice_state_entered,
  choice_state_exited,
  evaluation_failed,
  execution_aborted,
  execution_failed,
  execution_redriven,
  execution_started,
  execution_succeeded,
  execution_timed_out,
  fail_state_entered,
  lambda_function_failed,
  lambda_function_schedule_failed,
  lambda_function_scheduled,
  lambda_function_start_failed,
  lambda_function_started,
  lambda_function_succeeded,
  lambda_function_timed_out,
  map_iteration_aborted,
  map_iteration_failed,
  map_iteration_started,
  map_iteration_succeeded,
  map_run_aborted,
  map_run_failed,
  map_run_redriven,
  map_run_started,
  map_run_succeeded,
  map_state_aborted,
  map_state_entered,
  map_state_exited,
  map_state_failed,
  map_state_started,
  map_state_succeeded,
  parallel_state_aborted,
  parallel_state_entered,
  parallel_state_exited,
  parallel_state_failed,
  parallel_state_started,
  parallel_state_succeeded,
  pass_state_entered,
  pass_state_exited,
  succeed_state_entered,
  succeed_state_exited,
  task_failed,
  task_scheduled,
  task_start_failed,
  task_started,
  task_state_aborted,
  task_state_entered,
  task_state_exited,
  task_submit_failed,
  task_submitted,
  task_succeeded,
  task_timed_out,
  wait_state_aborted,
  wait_state_entered,
  wait_state_exited,
};

std::string_view to_string(EventType type);  // "TaskStateEntered"

struct Event {
  int64_t id = 0;
  int64_t previous_id = 0;
  int64_t time_ms = 0;  // since 1970
  EventType type = EventType::execution_started;
  uint32_t strand = 0;
  expression::Value details;   // an object, or undefined
  expression::Value payload;   // undefined: none
  expression::Value assigned;  // variables by name, of …StateExited; undefined: none
  expression::Value note;      // undefined: none
};

// As GetExecutionHistory returns it (HistoryEvent of the API), with the timestamp in seconds.
expression::Value to_history(const Event& event);

// As the journal keeps it; decode refuses (Kind::invalid) what encode does not write.
std::string encode(const Event& event);
Result<Event> decode(std::string_view text);

}  // namespace hearth::engine
