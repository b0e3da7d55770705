// The syntax tree of a JSONata expression, as the parser leaves it for the evaluator: location paths are flattened
// into steps with their predicates, tail calls are marked, and every `%` knows the step whose input it means.
//
// A Program owns its nodes and never changes after parsing: any number of evaluations on any threads may share it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/expression/fault.h"
#include "graph/expression/regex.h"
#include "graph/expression/value.h"

namespace hearth::expression {

enum class NodeType : uint8_t {
  path,
  binary,
  unary,
  name,
  string,
  number,
  value,
  wildcard,
  descendant,
  parent,
  condition,
  block,
  bind,
  regex,
  function,
  variable,
  lambda,
  partial,
  apply,
  transform,
  sort,
  placeholder,  // `?` among the arguments of a partial application
  word,         // `and`, `or`, `in` where a name is expected; gone after parsing
  end,
};

// Operators by their spelling; what only the parser sees is gone from the finished tree.
enum class Op : uint8_t {
  none,
  add,
  subtract,
  multiply,
  divide,
  modulo,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  concat,
  in,
  range,
  logical_and,
  logical_or,
  dot,
  bracket,
  brace,
  order,
  assign,
  focus,
  index,
  chain,
};

struct Node;
struct Builtin;
class Signature;

// Where a `%` finds its parent: the tuple member `label`, set by the step `level` steps up.
struct Slot {
  Value label;
  int level = 1;
};

struct Pair {
  Node* key = nullptr;
  Node* value = nullptr;
};

struct Term {
  bool descending = false;
  Node* expression = nullptr;
};

struct Stage {
  Node* filter = nullptr;  // a predicate, or else
  Value index;             // the variable that gets the position (`#$i`)
};

struct Node {
  NodeType type = NodeType::end;
  Op op = Op::none;  // of binary; bracket or brace of a unary constructor, subtract of a negation
  bool keep_array = false;
  bool keep_singleton_array = false;
  bool constructs = false;   // an array constructor whose result is not flattened into the path
  bool tuple = false;        // the step carries bindings along
  bool thunk = false;        // a lambda that stands for a tail call
  bool simple_path = false;  // only a variable and names, nothing that binds or filters
  size_t position = 0;
  Value literal;  // a name, variable or string (as string), a number, true, false, null

  Node* lhs = nullptr;       // procedure, body, condition, pattern, operand
  Node* rhs = nullptr;       // then, update
  Node* third = nullptr;     // else, delete
  std::vector<Node*> items;  // steps, expressions, arguments
  std::vector<Pair> pairs;   // of an object constructor
  std::vector<Term> terms;   // of a sort
  std::vector<Stage> predicates;
  std::vector<Stage> stages;
  std::optional<std::vector<Pair>> group;
  size_t group_position = 0;
  Value focus;                                // `@$v`; undefined when there is none
  Value index;                                // `#$i`
  Slot* slot = nullptr;                       // of a `%`
  Slot* ancestor = nullptr;                   // of the step that a `%` means
  std::optional<std::vector<Slot*>> seeking;  // slots that still look for their step
  const Builtin* builtin = nullptr;           // what a variable means when nothing binds it
  const Signature* signature = nullptr;
  std::optional<Regex> regex;
};

struct Program {
  std::deque<Node> nodes;
  std::deque<Slot> slots;
  std::deque<Signature> signatures;
  Node* root = nullptr;
};

// Parses an expression. Faults carry the reference's S0xxx codes; nesting beyond kMaxParseDepth is Kind::exhausted.
Eval<std::shared_ptr<const Program>> parse_jsonata(std::string_view text);

}  // namespace hearth::expression
