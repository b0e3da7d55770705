// A parsed intrinsic call and the table of functions. Internal to Intrinsic.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/expression/intrinsic.h"

namespace hearth::expression {

// What a function is given.
struct IntrinsicArguments {
  std::span<const Value> values;
  const Intrinsic::Random& random;

  const Value& operator[](size_t index) const { return values[index]; }
};

// The value, or none when the arguments don't fit.
using IntrinsicRun = std::optional<Value> (*)(const IntrinsicArguments& arguments);

struct IntrinsicFunction {
  std::string_view name;
  IntrinsicRun run;  // nullptr: States.Format, which has errors of its own
  size_t least_arguments;
  size_t most_arguments;
};

// nullptr when there is none of that name.
const IntrinsicFunction* find_intrinsic(std::string_view name);

// States.Format over a template in which \{ \} \' \\ are escaped.
Result<Value> format_template(std::string_view pattern, std::span<const Value> values);

struct IntrinsicArgument {
  std::optional<Path> path;
  std::shared_ptr<const IntrinsicCall> call;
  Value literal;
  std::string raw;  // text between the quotes, escapes and all: the template of States.Format
};

struct IntrinsicCall {
  std::string text;
  const IntrinsicFunction* function = nullptr;
  std::vector<IntrinsicArgument> arguments;
};

}  // namespace hearth::expression
