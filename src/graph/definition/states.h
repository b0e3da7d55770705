// The states of a machine, as the engine reads them: every expression compiled, every transition resolved, every
// default filled in. https://states-language.net and the Step Functions developer guide name the fields.
//
// Invariants (the parser's promise): transitions index Machine::states; a state has `next` or `end` unless it is
// Choice, Succeed or Fail; fields of the other query language are absent; Machine::states keep the order of the text.
// Immutable once parsed; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/definition/template.h"

namespace hearth::definition {

enum class StateType : uint8_t { task, pass, choice, wait, succeed, fail, parallel, map };
inline constexpr size_t kStateTypes = 8;
std::string_view to_string(StateType type);  // "Task"

inline constexpr size_t kNoState = ~size_t{0};

// InputPath, OutputPath and the like: absent is `$`, null discards.
struct FlowPath {
  bool discards = false;
  std::optional<expression::Path> path{};
};
struct ResultPath {
  bool discards = false;
  std::optional<expression::ReferencePath> path{};  // absent: `$`
};

enum class Integration : uint8_t { request, task_token, sync, sync2 };

// What a Task calls: a function by its ARN, an activity, or a service ("arn:aws:states:::lambda:invoke").
struct Resource {
  enum class Kind : uint8_t { function, activity, service };
  Kind kind = Kind::function;
  std::string arn{};
  std::string service{};  // "lambda", "states", "aws-sdk:sfn"
  std::string action{};   // "invoke", "startExecution.sync:2": as events name it
  Integration integration = Integration::request;

  bool is_lambda_invoke() const { return service == "lambda" && action.starts_with("invoke"); }
};

struct Retrier {
  std::vector<std::string> errors;
  double interval_s = 1;
  int64_t max_attempts = 3;
  double backoff_rate = 2;
  std::optional<double> max_delay_s{};
  bool full_jitter = false;
};

struct Catcher {
  std::vector<std::string> errors;
  size_t next = kNoState;
  ResultPath result_path{};          // JSONPath
  std::optional<Template> output{};  // JSONata
  std::optional<Template> assign{};
};

enum class Operator : uint8_t {
  string,
  numeric,
  timestamp,
  boolean_equals,
  string_matches,
  is_null,
  is_present,
  is_numeric,
  is_string,
  is_boolean,
  is_timestamp
};
enum class Relation : uint8_t { equals, less, greater, less_equals, greater_equals };

struct Condition {
  enum class Kind : uint8_t { all, any, negation, comparison };
  Kind kind = Kind::comparison;
  std::vector<Condition> parts;
  std::optional<expression::Path> variable;
  Operator operation = Operator::string;
  Relation relation = Relation::equals;
  expression::Value operand;                     // undefined: operand_path names it
  std::optional<expression::Path> operand_path;  // …Path
};

struct ChoiceRule {
  std::variant<Condition, Expression> condition;  // JSONPath, JSONata
  size_t next = kNoState;
  std::optional<Template> assign;
  std::optional<Template> output;
};

struct TaskPart {
  Resource resource;
  std::optional<Expression> timeout;
  std::optional<Expression> heartbeat;
};

struct PassPart {
  std::optional<expression::Value> result;
};

struct ChoicePart {
  std::vector<ChoiceRule> rules;
  size_t otherwise = kNoState;  // Default
};

struct WaitPart {
  Expression until{};
  bool is_timestamp = false;  // otherwise seconds
};

struct FailPart {
  std::optional<Expression> error;
  std::optional<Expression> cause;
};

struct MapPart {
  bool distributed = false;
  std::string label;
  std::optional<expression::Path> items_path;  // JSONPath
  std::optional<Template> items;               // JSONata
  std::optional<Template> item_selector;
  std::optional<Expression> max_concurrency;
  std::optional<Expression> tolerated_count;
  std::optional<Expression> tolerated_percentage;
  std::optional<Expression> batch_items;  // ItemBatcher
  std::optional<Expression> batch_bytes;
  std::optional<Template> batch_input;
  bool reads_items = false;     // ItemReader
  bool writes_results = false;  // ResultWriter
};

struct Machine;

struct State {
  std::string name;
  StateType type = StateType::pass;
  Language language = Language::jsonpath;
  size_t next = kNoState;
  bool end = false;

  FlowPath input_path{};
  FlowPath output_path{};
  ResultPath result_path{};
  std::optional<Template> arguments{};        // Parameters, Arguments
  std::optional<Template> result_selector{};  // JSONPath
  std::optional<Template> output{};           // JSONata
  std::optional<Template> assign{};
  std::vector<Retrier> retry{};
  std::vector<Catcher> catchers{};

  std::variant<std::monostate, TaskPart, PassPart, ChoicePart, WaitPart, FailPart, MapPart> part{};
  std::vector<Machine> machines;  // the branches of Parallel, the one processor of Map

  const TaskPart& task() const { return std::get<TaskPart>(part); }
  const ChoicePart& choice() const { return std::get<ChoicePart>(part); }
  const WaitPart& wait() const { return std::get<WaitPart>(part); }
  const FailPart& failure() const { return std::get<FailPart>(part); }
  const MapPart& map() const { return std::get<MapPart>(part); }
};

struct Machine {
  std::vector<State> states;
  size_t start = kNoState;

  const State* find(std::string_view name) const;  // nullptr: there is none of that name
};

}  // namespace hearth::definition
