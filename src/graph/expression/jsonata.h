// Jsonata: a JSONata 2.0.6 expression, parsed once, evaluated any number of times.
//
// Immutable and cheap to copy; any thread. Evaluation is synchronous and pure: time and randomness come with
// Surroundings, and its Limits bound depth, steps, memory and regular expressions. $eval is not there, as on AWS;
// $partition $range $hash $random $uuid $parse are. Support table: docs/expressions.md.
//
// Errors: the message begins with the reference's code ("T2001: The left side of the "+" operator …"; error_code and
// error_text take it apart), Kind::invalid. A breached limit has no code (the reference's suite calls it U1001):
// Kind::exhausted, or Kind::timeout for the deadline.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "graph/expression/limits.h"
#include "graph/expression/value.h"

namespace hearth::expression {

struct Program;

class Jsonata {
 public:
  using Bindings = std::span<const std::pair<std::string_view, Value>>;

  static Result<Jsonata> compile(std::string_view text);

  // `input` is `$$`; undefined when the expression has no root, as in a state machine. Bindings are variables by name
  // without `$`. The result is undefined when the expression finds nothing; it holds no functions (one inside is "",
  // one alone is an error) and no infinite numbers (they become text, as Step Functions returns them).
  Result<Value> evaluate(const Value& input, Bindings bindings, const Surroundings& surroundings) const;

  // Names of the variables that it reads and no enclosing scope of its own binds, without `$`; built-in functions that
  // it calls are not among them. For checks at definition time.
  std::vector<std::string> free_variables() const;

 private:
  explicit Jsonata(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

  std::shared_ptr<const Program> program_;
};

}  // namespace hearth::expression
