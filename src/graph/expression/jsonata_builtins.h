// The table of JSONata's built-in functions and of the six that Step Functions adds. `$eval` is not among them, as on
// AWS: calling it is T1006.
#pragma once

#include <string_view>
#include <vector>

#include "graph/expression/jsonata_evaluator.h"

namespace hearth::expression {

// One call of a built-in: the checked arguments (of the types its signature names, or undefined) and where it happens.
struct Call {
  Evaluator& evaluator;
  std::vector<Value>& arguments;
  const Value& context;
  const FramePtr& frame;

  const Value& operator[](size_t index) const {
    static const Value kUndefined{};
    return index < arguments.size() ? arguments[index] : kUndefined;
  }
};

using Native = Eval<> (*)(const Call& call);

struct Builtin {
  std::string_view name;
  Native run;
  std::string_view signature;
  int arity;    // how many arguments a higher-order function hands it
  int formals;  // how many it has for partial application
};

// nullptr when there is none of that name.
const Builtin* find_builtin(std::string_view name);
const Signature& signature_of(const Builtin& builtin);

// The parts of the table, by file.
std::span<const Builtin> aggregate_builtins();
std::span<const Builtin> array_builtins();
std::span<const Builtin> higher_order_builtins();
std::span<const Builtin> number_builtins();
std::span<const Builtin> object_builtins();
std::span<const Builtin> pattern_builtins();
std::span<const Builtin> states_builtins();
std::span<const Builtin> string_builtins();
std::span<const Builtin> time_builtins();

// What several of them share.
Eval<std::string> stringify(Evaluator& evaluator, const Value& value, bool prettify);
Eval<Value> lookup_member(Evaluator& evaluator, const Value& input, std::string_view key);
Eval<double> js_round(double number, double precision);

}  // namespace hearth::expression
