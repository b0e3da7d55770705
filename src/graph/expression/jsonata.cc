#include "graph/expression/jsonata.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "graph/expression/jsonata_evaluator.h"
#include "graph/expression/jsonata_tree.h"
#include "graph/expression/number_text.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

// Whether the value is JSON all through, so that it can be handed out as it is.
bool is_plain(const Value& value) {
  if (value.is_known_plain()) return true;
  if (value.is_array()) {
    return value.marks() == 0 &&
           std::ranges::all_of(value.items(), [](const Value& item) { return !item.is_undefined() && is_plain(item); });
  }
  if (value.is_object()) {
    return std::ranges::all_of(
        value.members(), [](const Member& member) { return !member.value.is_undefined() && is_plain(member.value); });
  }
  if (value.is_number()) return value.is_integer() || std::isfinite(value.as_double());
  return !value.is_function();
}

Value to_plain(const Value& value) {
  if (value.is_known_plain()) return value;
  if (value.is_array()) {
    std::vector<Value> items;
    items.reserve(value.size());
    for (const Value& item : value.items()) items.push_back(item.is_undefined() ? Value::null() : to_plain(item));
    return Value::array(std::move(items));
  }
  if (value.is_object()) {
    std::vector<Member> members;
    for (const Member& member : value.members()) {
      if (!member.value.is_undefined()) members.push_back({member.key, to_plain(member.value)});
    }
    return Value::object(std::move(members));
  }
  if (value.is_function()) return Value::string("");
  if (value.is_number() && !std::isfinite(value.as_double())) {
    // A number that a document wrote beyond the range of a double stays as it is written.
    std::string text = value.number_text();
    return text == js_number(value.as_double()) ? Value::string(text) : value;
  }
  return value;
}

// The variables a tree reads outside of the scopes that bind them.
class FreeVariables {
 public:
  void visit(const Node* node, std::set<std::string, std::less<>> bound) {
    if (node == nullptr) return;
    if (node->type == NodeType::lambda) {
      for (const Node* parameter : node->items) bound.emplace(parameter->literal.as_string());
      return visit(node->lhs, bound);
    }
    if (node->type == NodeType::variable) read(*node, bound);
    if (node->type == NodeType::block) {
      for (const Node* item : node->items) {
        visit(item, bound);
        note_bindings(*item, bound);
      }
    } else if (node->type == NodeType::path) {
      for (const Node* step : node->items) {
        visit(step, bound);
        note_step(*step, bound);
      }
    } else {
      for (const Node* item : node->items) visit(item, bound);
    }
    if (node->type != NodeType::bind) visit(node->lhs, bound);
    visit(node->rhs, bound);
    visit(node->third, bound);
    note_step(*node, bound);
    for (const Pair& pair : node->pairs) visit_pair(pair, bound);
    for (const Term& term : node->terms) visit(term.expression, bound);
    for (const auto* stages : {&node->predicates, &node->stages}) {
      for (const Stage& stage : *stages) visit(stage.filter, bound);
    }
    if (node->group) {
      for (const Pair& pair : *node->group) visit_pair(pair, bound);
    }
  }

  std::set<std::string, std::less<>> found;

 private:
  void visit_pair(const Pair& pair, const std::set<std::string, std::less<>>& bound) {
    visit(pair.key, bound);
    visit(pair.value, bound);
  }

  void read(const Node& variable, const std::set<std::string, std::less<>>& bound) {
    std::string_view name = variable.literal.as_string();
    if (!name.empty() && variable.builtin == nullptr && !bound.contains(name)) found.emplace(name);
  }

  static void note_bindings(const Node& node, std::set<std::string, std::less<>>& bound) {
    if (node.type != NodeType::bind) return;
    bound.emplace(node.lhs->literal.as_string());
    note_bindings(*node.rhs, bound);
  }

  static void note_step(const Node& step, std::set<std::string, std::less<>>& bound) {
    if (step.focus.is_string()) bound.emplace(step.focus.as_string());
    if (step.index.is_string()) bound.emplace(step.index.as_string());
    for (const Stage& stage : step.stages) {
      if (stage.index.is_string()) bound.emplace(stage.index.as_string());
    }
  }
};

}  // namespace

Result<Jsonata> Jsonata::compile(std::string_view text) {
  if (!is_utf8(text)) return fail(Kind::invalid, "an expression that is not UTF-8");
  auto program = parse_jsonata(text);
  if (!program) return std::unexpected(to_error(*program.error()));
  return Jsonata(*std::move(program));
}

Result<Value> Jsonata::evaluate(const Value& input, Bindings bindings, const Surroundings& surroundings) const {
  Evaluator evaluator(*program_, surroundings);
  auto result = evaluator.run(input, bindings);
  if (!result) return std::unexpected(to_error(*result.error()));
  if (result->is_function()) return fail(Kind::invalid, "the expression returned a function");
  Value value = is_plain(*result) ? *std::move(result) : to_plain(*result);
  value.mark_plain();
  return value;
}

std::vector<std::string> Jsonata::free_variables() const {
  FreeVariables variables;
  variables.visit(program_->root, {"$"});
  return {variables.found.begin(), variables.found.end()};
}

}  // namespace hearth::expression
