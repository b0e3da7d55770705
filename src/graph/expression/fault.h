// Fault: why a JSONata expression could not be parsed or evaluated, with the reference's code and the parts of its
// message. Inside the evaluator it travels as a pointer, so that the path without faults stays small.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "graph/expression/value.h"

namespace hearth::expression {

struct Fault {
  std::string_view code;  // "T2001"; empty for a breached limit
  Kind kind = Kind::invalid;
  std::string message;  // instead of the code's template
  size_t position = 0;
  std::string token;
  Value value;
  Value value2;
  std::string text;  // {{{functionName}}}, {{type}}, {{exp}} or {{index}} of the code's template
  int index = 0;
};

using FaultPtr = std::unique_ptr<Fault>;
template <typename T = Value>
using Eval = std::expected<T, FaultPtr>;

inline std::unexpected<FaultPtr> fault(std::string_view code, Value value = {}) {
  auto made = std::make_unique<Fault>();
  made->code = code;
  made->value = std::move(value);
  return std::unexpected(std::move(made));
}

// The breached limit, in the reference's words (and AWS's): depth, time or steps, memory.
std::unexpected<FaultPtr> fault_depth();
std::unexpected<FaultPtr> fault_steps();
std::unexpected<FaultPtr> fault_deadline();
std::unexpected<FaultPtr> fault_memory();

// "T2001: The left side of the "+" operator must evaluate to a number"; a breached limit has no code in front.
Error to_error(const Fault& fault);

// The code that an Error of this folder begins with ("T2001"), or "" when it has none; and its text without it.
std::string_view error_code(const Error& error);
std::string_view error_text(const Error& error);

}  // namespace hearth::expression
