// Evaluator: one evaluation of a JSONata program: a synchronous interpreter of its tree.
//
// Faithful to jsonata 2.0.6 down to which arrays are sequences (and so collapse when they hold one item). Depth,
// steps and memory are bounded by Limits; Surroundings::expired is asked now and then. One thread, one use.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/expression/fault.h"
#include "graph/expression/jsonata_frame.h"
#include "graph/expression/jsonata_tree.h"
#include "graph/expression/limits.h"
#include "graph/expression/value.h"

namespace hearth::expression {

class Evaluator {
 public:
  Evaluator(const Program& program, const Surroundings& surroundings);

  Eval<> run(const Value& input, std::span<const std::pair<std::string_view, Value>> bindings);

  Eval<> evaluate(const Node& node, const Value& input, const FramePtr& frame);
  // Calls a function value and the tail calls that it ends in.
  Eval<> apply(const Value& function, std::vector<Value> arguments, const Value& context, const FramePtr& frame);
  // Calls `function` with as many of the arguments as it takes.
  Eval<> apply_some(const Value& function, std::vector<Value> arguments, const FramePtr& frame);
  static int arity(const Value& function);

  // One more item visited; checks all limits.
  Eval<> step();
  // About to allocate `bytes`.
  Eval<> charge(int64_t bytes) const;
  const Surroundings& surroundings() const { return surroundings_; }
  Eval<uint64_t> random() const;

  // JSONata's truth. undefined is not false, but nothing asks for the difference.
  Eval<bool> truth(const Value& value);
  // False for NaN; D1001 for an infinite number.
  static Eval<bool> is_numeric(const Value& value);
  static Eval<bool> all_numeric(const Value& value);
  static Value append(const Value& left, const Value& right);
  Eval<Value> regex_match(const Function& regex, const Value& subject, size_t from);

 private:
  Eval<> dispatch(const Node& node, const Value& input, const FramePtr& frame);
  Eval<> binary(const Node& node, const Value& input, const FramePtr& frame);
  Eval<> operate(Op op, const Value& lhs, const Value& rhs);
  static Eval<> arithmetic(Op op, const Value& lhs, const Value& rhs);
  static Eval<> compare(Op op, const Value& lhs, const Value& rhs);
  Eval<> range(const Value& lhs, const Value& rhs);
  Eval<> concat(const Value& lhs, const Value& rhs);
  Eval<> unary(const Node& node, const Value& input, const FramePtr& frame);
  Eval<> array(const Node& node, const Value& input, const FramePtr& frame);
  Eval<> wildcard(const Value& input);
  Eval<> descendants(const Value& input);
  Eval<> collect_descendants(const Value& input, std::vector<Value>& found);
  Eval<> flatten(const Value& input, std::vector<Value>& flat);
  Eval<> variable(const Node& node, const Value& input, const FramePtr& frame);
  Eval<> group(const std::vector<Pair>& pairs, size_t position, const Value& input, const FramePtr& frame);

  Eval<> path(const Node& node, const Value& input, const FramePtr& frame);
  Eval<bool> walk_simple_path(const Node& node, const Value& input, const FramePtr& frame, Value& result);
  Eval<> path_step(const Node& step, const Value& input, const FramePtr& frame, bool last);
  Eval<> tuple_step(const Node& step, const Value& input, const Value& tuples, const FramePtr& frame);
  Eval<> expand_tuple(const Node& step, const Value& tuple, const Value& found, std::vector<Value>& out);
  Eval<> stages(const std::vector<Stage>& stages, Value input, const FramePtr& frame);
  Eval<> filter(const Node& predicate, const Value& input, const FramePtr& frame);
  Eval<bool> selects(const Node& predicate, const Value& input, size_t index, const FramePtr& frame, int& times);
  Eval<> sort(const Node& node, const Value& input, const FramePtr& frame);
  Eval<bool> comes_after(const Node& sort, const Value& a, const Value& b, bool tuples, const FramePtr& frame);
  FramePtr frame_of_tuple(const FramePtr& frame, const Value& tuple);

  Eval<> call(const Node& node, const Value& input, const FramePtr& frame, const Value* piped);
  Eval<> call_once(const Value& function, std::vector<Value> arguments, const Value& context, const FramePtr& frame);
  Eval<> call_lambda(const Function& lambda, const std::vector<Value>& arguments);
  Eval<> call_partial(const Function& partial, std::vector<Value> arguments, const FramePtr& frame);
  Eval<> call_next_match(const Function& next);
  Eval<> partial(const Node& node, const Value& input, const FramePtr& frame);
  Eval<> chain(const Node& node, const Value& input, const FramePtr& frame);
  Value make_lambda(const Node& node, const Value& input, const FramePtr& frame);
  Eval<> transform(const Function& transform, const Value& object);
  Eval<> change(const Function& transform, const Value& match);
  Eval<bool> names_function(const Node& procedure, const FramePtr& frame, std::string& name) const;

  const Program& program_;
  const Surroundings& surroundings_;
  Frames frames_;
  int64_t bytes_before_;
  uint64_t steps_ = 0;
  uint32_t depth_ = 0;
};

// Stable merge sort as the reference's: `after(a, b)` says that b goes first. Arrays of one item come back as they are.
Eval<> sort_values(Evaluator& evaluator, const Value& array,
                   const std::function<Eval<bool>(const Value&, const Value&)>& after);

}  // namespace hearth::expression
