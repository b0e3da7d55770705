// The second pass over a raw JSONata tree (the reference's processAST): flattens `.` into paths, attaches predicates,
// groups, sorts and bindings to their steps, finds the step that each `%` means, and marks tail calls.
#include <algorithm>
#include <utility>

#include "graph/expression/jsonata_parser.h"
#include "graph/expression/limits.h"

namespace hearth::expression {
namespace {

constexpr uint32_t kMaxTreeDepth = 1000;  // a chain of a thousand `&` is one level each

class Finisher {
 public:
  explicit Finisher(Program& program) : program_(program) {}

  Eval<Node*> node(Node* raw) {
    if (++depth_ > kMaxTreeDepth) return fault_depth();
    TRY_ASSIGN(Node * made, dispatch(raw));
    --depth_;
    if (raw->keep_array) made->keep_array = true;
    return made;
  }

 private:
  Eval<Node*> dispatch(Node* raw);
  Eval<Node*> binary(Node* raw);
  Eval<Node*> operation(Node* raw);
  Eval<Node*> dot(Node* raw);
  Eval<Node*> filter(Node* raw);
  Eval<Node*> group(Node* raw);
  Eval<Node*> order(Node* raw);
  Eval<Node*> assign(Node* raw);
  Eval<Node*> focus(Node* raw);
  Eval<Node*> index(Node* raw);
  Eval<Node*> chain(Node* raw);
  Eval<Node*> unary(Node* raw);
  Eval<Node*> call(Node* raw);
  Eval<Node*> lambda(Node* raw);
  Eval<Node*> condition(Node* raw);
  Eval<Node*> transform(Node* raw);
  Eval<Node*> block(Node* raw);
  Eval<Node*> name(Node* raw);
  Node* parent(Node* raw);

  Eval<std::vector<Pair>> pairs(const std::vector<Pair>& raw, Node* owner);
  Eval<Slot*> seek_parent(Node* node, Slot* slot);
  void push_ancestry(Node* result, const Node* value);
  Eval<Value> resolve_ancestry(Node* path);
  Node* tail_call(Node* node);
  static void mark_simple(Node* path);

  Node* make(NodeType type, const Node* raw) {
    Node& made = program_.nodes.emplace_back();
    made.type = type;
    made.op = raw->op;
    made.position = raw->position;
    return &made;
  }

  Node* path_of(Node* step) {
    if (step->type == NodeType::path) return step;
    Node* path = make(NodeType::path, step);
    path->op = Op::none;
    path->items.push_back(step);
    return path;
  }

  Program& program_;
  uint32_t depth_ = 0;
  int labels_ = 0;
};

Eval<Node*> Finisher::dispatch(Node* raw) {
  switch (raw->type) {
    case NodeType::binary:
      return binary(raw);
    case NodeType::unary:
      return unary(raw);
    case NodeType::function:
    case NodeType::partial:
      return call(raw);
    case NodeType::lambda:
      return lambda(raw);
    case NodeType::condition:
      return condition(raw);
    case NodeType::transform:
      return transform(raw);
    case NodeType::block:
      return block(raw);
    case NodeType::word:
      raw->type = NodeType::name;
      return name(raw);
    case NodeType::name:
      return name(raw);
    case NodeType::parent:
      return parent(raw);
    case NodeType::end:
      return fault_at("S0207", raw->position, "(end)");
    default:
      return raw;
  }
}

Eval<Node*> Finisher::binary(Node* raw) {
  switch (raw->op) {
    case Op::dot:
      return dot(raw);
    case Op::bracket:
      return filter(raw);
    case Op::brace:
      return group(raw);
    case Op::order:
      return order(raw);
    case Op::assign:
      return assign(raw);
    case Op::focus:
      return focus(raw);
    case Op::index:
      return index(raw);
    case Op::chain:
      return chain(raw);
    default:
      return operation(raw);
  }
}

Eval<Node*> Finisher::operation(Node* raw) {
  Node* made = make(NodeType::binary, raw);
  TRY_ASSIGN(made->lhs, node(raw->lhs));
  TRY_ASSIGN(made->rhs, node(raw->rhs));
  push_ancestry(made, made->lhs);
  push_ancestry(made, made->rhs);
  return made;
}

Eval<Node*> Finisher::dot(Node* raw) {
  TRY_ASSIGN(Node * left, node(raw->lhs));
  Node* path = path_of(left);
  if (left->type == NodeType::parent) path->seeking = std::vector<Slot*>{left->slot};
  TRY_ASSIGN(Node * rest, node(raw->rhs));
  if (rest->type == NodeType::path) {
    path->items.insert(path->items.end(), rest->items.begin(), rest->items.end());
  } else {
    if (!rest->predicates.empty()) rest->stages = std::exchange(rest->predicates, {});
    path->items.push_back(rest);
  }
  for (Node* step : path->items) {
    if (step->type == NodeType::number || step->type == NodeType::value) {
      return fault_at("S0213", step->position, {}, step->literal);
    }
    if (step->type == NodeType::string) step->type = NodeType::name;
    if (step->keep_array) path->keep_singleton_array = true;
  }
  for (Node* step : {path->items.front(), path->items.back()}) {
    if (step->type == NodeType::unary && step->op == Op::bracket) step->constructs = true;
  }
  TRY(resolve_ancestry(path));
  mark_simple(path);
  return path;
}

Eval<Node*> Finisher::filter(Node* raw) {
  TRY_ASSIGN(Node * result, node(raw->lhs));
  bool in_path = result->type == NodeType::path;
  Node* step = in_path ? result->items.back() : result;
  if (step->group) return fault_at("S0209", raw->position);
  TRY_ASSIGN(Node * predicate, node(raw->rhs));
  if (predicate->seeking) {
    for (Slot* slot : *predicate->seeking) {
      if (slot->level == 1) {
        TRY(seek_parent(step, slot));
      } else {
        --slot->level;
      }
    }
    push_ancestry(step, predicate);
  }
  (in_path ? step->stages : step->predicates).push_back({predicate, {}});
  if (in_path) mark_simple(result);
  return result;
}

Eval<Node*> Finisher::group(Node* raw) {
  TRY_ASSIGN(Node * result, node(raw->lhs));
  if (result->group) return fault_at("S0210", raw->position);
  TRY_ASSIGN(result->group, pairs(raw->pairs, nullptr));
  result->group_position = raw->position;
  result->simple_path = false;
  return result;
}

Eval<Node*> Finisher::order(Node* raw) {
  TRY_ASSIGN(Node * left, node(raw->lhs));
  Node* result = path_of(left);
  Node* sort = make(NodeType::sort, raw);
  for (const Term& term : raw->terms) {
    TRY_ASSIGN(Node * expression, node(term.expression));
    push_ancestry(sort, expression);
    sort->terms.push_back({term.descending, expression});
  }
  result->items.push_back(sort);
  result->simple_path = false;
  TRY(resolve_ancestry(result));
  return result;
}

Eval<Node*> Finisher::assign(Node* raw) {
  Node* made = make(NodeType::bind, raw);
  TRY_ASSIGN(made->lhs, node(raw->lhs));
  TRY_ASSIGN(made->rhs, node(raw->rhs));
  push_ancestry(made, made->rhs);
  return made;
}

Eval<Node*> Finisher::focus(Node* raw) {
  TRY_ASSIGN(Node * result, node(raw->lhs));
  Node* step = result->type == NodeType::path ? result->items.back() : result;
  if (!step->stages.empty() || !step->predicates.empty()) return fault_at("S0215", raw->position);
  if (step->type == NodeType::sort) return fault_at("S0216", raw->position);
  if (raw->keep_array) step->keep_array = true;
  step->focus = raw->rhs->literal;
  step->tuple = true;
  result->simple_path = false;
  return result;
}

Eval<Node*> Finisher::index(Node* raw) {
  TRY_ASSIGN(Node * left, node(raw->lhs));
  Node* result = left;
  Node* step = left;
  if (left->type == NodeType::path) {
    step = left->items.back();
  } else {
    result = path_of(left);
    if (!step->predicates.empty()) step->stages = std::exchange(step->predicates, {});
  }
  if (step->stages.empty()) {
    step->index = raw->rhs->literal;
  } else {
    step->stages.push_back({nullptr, raw->rhs->literal});
  }
  step->tuple = true;
  result->simple_path = false;
  return result;
}

Eval<Node*> Finisher::chain(Node* raw) {
  Node* made = make(NodeType::apply, raw);
  TRY_ASSIGN(made->lhs, node(raw->lhs));
  TRY_ASSIGN(made->rhs, node(raw->rhs));
  made->keep_array = made->lhs->keep_array || made->rhs->keep_array;
  return made;
}

Eval<Node*> Finisher::unary(Node* raw) {
  if (raw->op == Op::subtract) {
    TRY_ASSIGN(Node * operand, node(raw->lhs));
    if (operand->type == NodeType::number) {
      operand->literal = Value::number(-operand->literal.as_double());
      return operand;
    }
    Node* made = make(NodeType::unary, raw);
    made->lhs = operand;
    push_ancestry(made, operand);
    return made;
  }
  Node* made = make(NodeType::unary, raw);
  for (Node* item : raw->items) {
    TRY_ASSIGN(Node * finished, node(item));
    push_ancestry(made, finished);
    made->items.push_back(finished);
  }
  TRY_ASSIGN(made->pairs, pairs(raw->pairs, made));
  return made;
}

Eval<std::vector<Pair>> Finisher::pairs(const std::vector<Pair>& raw, Node* owner) {
  std::vector<Pair> made;
  for (const Pair& pair : raw) {
    Pair finished;
    TRY_ASSIGN(finished.key, node(pair.key));
    if (owner != nullptr) push_ancestry(owner, finished.key);
    TRY_ASSIGN(finished.value, node(pair.value));
    if (owner != nullptr) push_ancestry(owner, finished.value);
    made.push_back(finished);
  }
  return made;
}

Eval<Node*> Finisher::call(Node* raw) {
  Node* made = make(raw->type, raw);
  for (Node* argument : raw->items) {
    TRY_ASSIGN(Node * finished, node(argument));
    push_ancestry(made, finished);
    made->items.push_back(finished);
  }
  TRY_ASSIGN(made->lhs, node(raw->lhs));
  return made;
}

Eval<Node*> Finisher::lambda(Node* raw) {
  Node* made = make(NodeType::lambda, raw);
  made->items = raw->items;
  made->signature = raw->signature;
  TRY_ASSIGN(Node * body, node(raw->lhs));
  made->lhs = tail_call(body);
  return made;
}

Eval<Node*> Finisher::condition(Node* raw) {
  Node* made = make(NodeType::condition, raw);
  TRY_ASSIGN(made->lhs, node(raw->lhs));
  push_ancestry(made, made->lhs);
  TRY_ASSIGN(made->rhs, node(raw->rhs));
  push_ancestry(made, made->rhs);
  if (raw->third != nullptr) {
    TRY_ASSIGN(made->third, node(raw->third));
    push_ancestry(made, made->third);
  }
  return made;
}

Eval<Node*> Finisher::transform(Node* raw) {
  Node* made = make(NodeType::transform, raw);
  TRY_ASSIGN(made->lhs, node(raw->lhs));
  TRY_ASSIGN(made->rhs, node(raw->rhs));
  if (raw->third != nullptr) {
    TRY_ASSIGN(made->third, node(raw->third));
  }
  return made;
}

Eval<Node*> Finisher::block(Node* raw) {
  Node* made = make(NodeType::block, raw);
  for (Node* item : raw->items) {
    TRY_ASSIGN(Node * part, node(item));
    push_ancestry(made, part);
    bool constructs = part->constructs || (part->type == NodeType::path && part->items.front()->constructs);
    if (constructs) made->constructs = true;
    made->items.push_back(part);
  }
  return made;
}

Eval<Node*> Finisher::name(Node* raw) {
  Node* path = make(NodeType::path, raw);
  path->items.push_back(raw);
  if (raw->keep_array) path->keep_singleton_array = true;
  mark_simple(path);
  return path;
}

Node* Finisher::parent(Node* raw) {
  Node* made = make(NodeType::parent, raw);
  Slot& slot = program_.slots.emplace_back();
  slot.label = Value::string("!" + std::to_string(labels_++));
  made->slot = &slot;
  return made;
}

Eval<Slot*> Finisher::seek_parent(Node* node, Slot* slot) {
  switch (node->type) {
    case NodeType::name:
    case NodeType::wildcard:
      if (--slot->level == 0) {
        if (node->ancestor != nullptr) slot->label = node->ancestor->label;
        node->ancestor = slot;
        node->tuple = true;
      }
      return slot;
    case NodeType::parent:
      ++slot->level;
      return slot;
    case NodeType::block:
      if (node->items.empty()) return slot;
      node->tuple = true;
      return seek_parent(node->items.back(), slot);
    case NodeType::path: {
      node->tuple = true;
      node->simple_path = false;
      size_t at = node->items.size() - 1;
      TRY_ASSIGN(slot, seek_parent(node->items[at], slot));
      while (slot->level > 0 && at > 0) {
        TRY_ASSIGN(slot, seek_parent(node->items[--at], slot));
      }
      return slot;
    }
    default:
      return fault_at("S0217", node->position);
  }
}

void Finisher::push_ancestry(Node* result, const Node* value) {
  if (!value->seeking && value->type != NodeType::parent) return;
  if (!result->seeking) result->seeking.emplace();
  if (value->seeking) result->seeking->insert(result->seeking->end(), value->seeking->begin(), value->seeking->end());
  if (value->type == NodeType::parent) result->seeking->push_back(value->slot);
}

Eval<Value> Finisher::resolve_ancestry(Node* path) {
  Node* last = path->items.back();
  std::vector<Slot*> slots = last->seeking.value_or(std::vector<Slot*>());
  if (last->type == NodeType::parent) slots.push_back(last->slot);
  for (Slot* slot : slots) {
    auto at = static_cast<std::ptrdiff_t>(path->items.size()) - 2;
    while (slot->level > 0) {
      if (at < 0) {
        if (!path->seeking) path->seeking.emplace();
        path->seeking->push_back(slot);
        break;
      }
      Node* step = path->items[static_cast<size_t>(at--)];
      // Neighbouring steps that bind the focus share one context: skip to the first of them.
      while (at >= 0 && !step->focus.is_undefined() && !path->items[static_cast<size_t>(at)]->focus.is_undefined()) {
        step = path->items[static_cast<size_t>(at--)];
      }
      TRY_ASSIGN(slot, seek_parent(step, slot));
    }
  }
  if (!slots.empty()) mark_simple(path);
  return Value();
}

// A call in tail position becomes a thunk, which the caller's loop runs: tail recursion does not grow the stack.
Node* Finisher::tail_call(Node* node) {
  if (node->type == NodeType::function && node->predicates.empty()) {
    Node* thunk = make(NodeType::lambda, node);
    thunk->thunk = true;
    thunk->lhs = node;
    return thunk;
  }
  if (node->type == NodeType::condition) {
    node->rhs = tail_call(node->rhs);
    if (node->third != nullptr) node->third = tail_call(node->third);
  } else if (node->type == NodeType::block && !node->items.empty()) {
    node->items.back() = tail_call(node->items.back());
  }
  return node;
}

void Finisher::mark_simple(Node* path) {
  path->simple_path = !path->keep_singleton_array && !path->tuple && !path->group;
  for (size_t i = 0; i < path->items.size() && path->simple_path; ++i) {
    const Node* step = path->items[i];
    bool walks = step->type == NodeType::name || (i == 0 && step->type == NodeType::variable);
    path->simple_path =
        walks && step->stages.empty() && step->predicates.empty() && !step->tuple && !step->keep_array && !step->group;
  }
}

}  // namespace

Eval<Node*> finish(Node* raw, Program& program) {
  Finisher finisher(program);
  TRY_ASSIGN(Node * root, finisher.node(raw));
  if (root->type == NodeType::parent || root->seeking) return fault_at("S0217", root->position);
  return root;
}

}  // namespace hearth::expression
