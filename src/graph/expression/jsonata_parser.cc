#include "graph/expression/jsonata_parser.h"

#include <algorithm>
#include <array>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/limits.h"

namespace hearth::expression {
namespace {

struct Operator {
  std::string_view spelling;
  int power;  // how strongly it binds what is on its left; 0: not an infix operator
  Op op;
};

constexpr auto kOperators = std::to_array<Operator>({
    {".", 75, Op::dot},      {"[", 80, Op::bracket},       {"{", 70, Op::brace},       {"(", 80, Op::none},
    {"@", 80, Op::focus},    {"#", 80, Op::index},         {"?", 20, Op::none},        {"+", 50, Op::add},
    {"-", 50, Op::subtract}, {"*", 60, Op::multiply},      {"/", 60, Op::divide},      {"%", 60, Op::modulo},
    {"=", 40, Op::equal},    {"<", 40, Op::less},          {">", 40, Op::greater},     {"^", 40, Op::order},
    {":=", 10, Op::assign},  {"!=", 40, Op::not_equal},    {"<=", 40, Op::less_equal}, {">=", 40, Op::greater_equal},
    {"~>", 40, Op::chain},   {"and", 30, Op::logical_and}, {"or", 25, Op::logical_or}, {"in", 40, Op::in},
    {"&", 50, Op::concat},   {"..", 0, Op::range},         {"**", 0, Op::none},        {"|", 0, Op::none},
    {"]", 0, Op::none},      {"}", 0, Op::none},           {")", 0, Op::none},         {",", 0, Op::none},
    {";", 0, Op::none},      {":", 0, Op::none},
});

const Operator* operator_of(const Token& token) {
  if (token.kind != Token::Kind::op) return nullptr;
  auto found = std::ranges::find(kOperators, token.op, &Operator::spelling);
  return found == kOperators.end() ? nullptr : &*found;
}

int power_of(const Token& token) {
  const Operator* found = operator_of(token);
  return found == nullptr ? 0 : found->power;
}

}  // namespace

std::unexpected<FaultPtr> fault_at(std::string_view code, size_t position, std::string token, Value value) {
  auto made = fault(code, std::move(value));
  made.error()->position = position;
  made.error()->token = std::move(token);
  return made;
}

Node* Parser::make(NodeType type, size_t position, Op op) {
  Node& node = program_.nodes.emplace_back();
  node.type = type;
  node.position = position;
  node.op = op;
  return &node;
}

Eval<Value> Parser::advance(bool after_operand) {
  TRY_ASSIGN(token_, lexer_.next(after_operand));
  if (token_.kind == Token::Kind::op && operator_of(token_) == nullptr) {
    return fault_at("S0204", token_.position, std::string(token_.op));
  }
  return Value();
}

Eval<Value> Parser::expect(std::string_view op, bool after_operand) {
  if (!token_.is(op)) {
    std::string_view code = token_.kind == Token::Kind::end ? "S0203" : "S0202";
    return fault_at(code, token_.position, token_.text(), Value::string(op));
  }
  return advance(after_operand);
}

Eval<Node*> Parser::parse() {
  TRY(advance());
  TRY_ASSIGN(Node * root, expression(0));
  if (token_.kind != Token::Kind::end) return fault_at("S0201", token_.position, token_.text());
  return root;
}

Eval<Node*> Parser::expression(int right_power) {
  if (depth_ >= kMaxParseDepth) return fault_depth();
  ++depth_;
  Token first = token_;
  TRY(advance(true));
  TRY_ASSIGN(Node * left, prefix(std::move(first)));
  while (right_power < power_of(token_)) {
    Token op = token_;
    TRY(advance());
    TRY_ASSIGN(left, infix(op, left));
  }
  --depth_;
  return left;
}

Node* Parser::leaf(const Token& token) {
  NodeType type = NodeType::value;
  if (token.kind == Token::Kind::name) type = NodeType::name;
  if (token.kind == Token::Kind::variable) type = NodeType::variable;
  if (token.kind == Token::Kind::string) type = NodeType::string;
  if (token.kind == Token::Kind::number) type = NodeType::number;
  if (token.kind == Token::Kind::regex) type = NodeType::regex;
  Node* node = make(type, token.position);
  node->literal = token.value;
  node->regex = token.regex;
  if (type == NodeType::variable) node->builtin = find_builtin(token.value.as_string());
  return node;
}

Eval<Node*> Parser::prefix(Token token) {
  if (token.kind == Token::Kind::end) return make(NodeType::end, source_.size());
  if (token.kind != Token::Kind::op) return leaf(token);
  size_t position = token.position;
  if (token.is("and") || token.is("or") || token.is("in")) {
    Node* word = make(NodeType::word, position);
    word->literal = Value::string(token.op);
    return word;
  }
  if (token.is("-")) {
    Node* negation = make(NodeType::unary, position, Op::subtract);
    TRY_ASSIGN(negation->lhs, expression(70));
    return negation;
  }
  if (token.is("*")) return make(NodeType::wildcard, position);
  if (token.is("**")) return make(NodeType::descendant, position);
  if (token.is("%")) return make(NodeType::parent, position);
  if (token.is("(")) return block(position);
  if (token.is("[")) return array(position);
  if (token.is("{")) {
    Node* object = make(NodeType::unary, position, Op::brace);
    TRY_ASSIGN(object->pairs, pairs());
    return object;
  }
  if (token.is("|")) return transform(position);
  return fault_at("S0211", position, std::string(token.op));
}

Eval<Node*> Parser::infix(const Token& token, Node* left) {
  const Operator& found = *operator_of(token);
  size_t position = token.position;
  if (token.is("(")) return call(left, position);
  if (token.is("[")) return predicate(left, position);
  if (token.is("^")) return order_by(left, position);
  if (token.is("?")) return conditional(left, position);
  if (token.is("@") || token.is("#")) return bound(left, token);
  if (token.is("{")) {
    Node* grouped = make(NodeType::binary, position, Op::brace);
    grouped->lhs = left;
    TRY_ASSIGN(grouped->pairs, pairs());
    return grouped;
  }
  if (token.is(":=") && left->type != NodeType::variable) {
    return fault_at("S0212", left->position, left->literal.is_string() ? std::string(left->literal.as_string()) : "");
  }
  Node* binary = make(NodeType::binary, position, found.op);
  binary->lhs = left;
  // := groups to the right, everything else to the left.
  TRY_ASSIGN(binary->rhs, expression(token.is(":=") ? found.power - 1 : found.power));
  return binary;
}

Eval<Node*> Parser::bound(Node* left, const Token& token) {
  Node* binary = make(NodeType::binary, token.position, token.is("@") ? Op::focus : Op::index);
  binary->lhs = left;
  TRY_ASSIGN(binary->rhs, expression(80));
  if (binary->rhs->type != NodeType::variable) {
    return fault_at("S0214", binary->rhs->position, std::string(token.op));
  }
  return binary;
}

Eval<Node*> Parser::call(Node* left, size_t position) {
  Node* made = make(NodeType::function, position);
  made->lhs = left;
  if (!token_.is(")")) {
    for (;;) {
      if (token_.is("?")) {
        made->type = NodeType::partial;
        made->items.push_back(make(NodeType::placeholder, token_.position));
        TRY(advance());
      } else {
        TRY_ASSIGN(Node * argument, expression(0));
        made->items.push_back(argument);
      }
      if (!token_.is(",")) break;
      TRY(advance());
    }
  }
  TRY(expect(")", true));
  bool defines = left->type == NodeType::name &&
                 (left->literal.as_string() == "function" || left->literal.as_string() == "\u03BB");
  return defines ? lambda(made) : made;
}

Eval<Node*> Parser::lambda(Node* made) {
  for (size_t i = 0; i < made->items.size(); ++i) {
    Node* argument = made->items[i];
    if (argument->type == NodeType::variable) continue;
    std::string token = argument->literal.is_string() ? std::string(argument->literal.as_string()) : "";
    return fault_at("S0208", argument->position, token, Value::integer(static_cast<int64_t>(i) + 1));
  }
  made->type = NodeType::lambda;
  if (token_.is("<")) {
    TRY_ASSIGN(made->signature, lambda_signature());
  }
  TRY(expect("{"));
  TRY_ASSIGN(made->lhs, expression(0));
  TRY(expect("}"));
  return made;
}

Eval<const Signature*> Parser::lambda_signature() {
  size_t position = token_.position;
  int depth = 1;
  std::string text = "<";
  while (depth > 0 && !token_.is("{") && token_.kind != Token::Kind::end) {
    TRY(advance());
    if (token_.is(">")) --depth;
    if (token_.is("<")) ++depth;
    text += token_.text();
  }
  TRY(expect(">"));
  auto parsed = Signature::parse(text);
  if (!parsed) {
    parsed.error()->position = position;
    return std::unexpected(std::move(parsed).error());
  }
  return &program_.signatures.emplace_back(*std::move(parsed));
}

Eval<Node*> Parser::block(size_t position) {
  Node* made = make(NodeType::block, position);
  while (!token_.is(")")) {
    TRY_ASSIGN(Node * item, expression(0));
    made->items.push_back(item);
    if (!token_.is(";")) break;
    TRY(advance());
  }
  TRY(expect(")", true));
  return made;
}

Eval<Node*> Parser::array(size_t position) {
  Node* made = make(NodeType::unary, position, Op::bracket);
  if (!token_.is("]")) {
    for (;;) {
      TRY_ASSIGN(Node * item, expression(0));
      if (token_.is("..")) {
        Node* range = make(NodeType::binary, token_.position, Op::range);
        TRY(advance());
        range->lhs = item;
        TRY_ASSIGN(range->rhs, expression(0));
        item = range;
      }
      made->items.push_back(item);
      if (!token_.is(",")) break;
      TRY(advance());
    }
  }
  TRY(expect("]", true));
  return made;
}

Eval<Node*> Parser::predicate(Node* left, size_t position) {
  if (token_.is("]")) {
    // An empty predicate keeps singleton arrays of the step it follows.
    Node* step = left;
    while (step->type == NodeType::binary && step->op == Op::bracket) step = step->lhs;
    step->keep_array = true;
    TRY(advance(true));
    return left;
  }
  Node* made = make(NodeType::binary, position, Op::bracket);
  made->lhs = left;
  TRY_ASSIGN(made->rhs, expression(0));
  TRY(expect("]", true));
  return made;
}

Eval<Node*> Parser::order_by(Node* left, size_t position) {
  Node* made = make(NodeType::binary, position, Op::order);
  made->lhs = left;
  TRY(expect("("));
  for (;;) {
    Term term;
    if (token_.is("<")) {
      TRY(advance());
    } else if (token_.is(">")) {
      term.descending = true;
      TRY(advance());
    }
    TRY_ASSIGN(term.expression, expression(0));
    made->terms.push_back(term);
    if (!token_.is(",")) break;
    TRY(advance());
  }
  TRY(expect(")", true));
  return made;
}

Eval<std::vector<Pair>> Parser::pairs() {
  std::vector<Pair> made;
  if (!token_.is("}")) {
    for (;;) {
      Pair pair;
      TRY_ASSIGN(pair.key, expression(0));
      TRY(expect(":"));
      TRY_ASSIGN(pair.value, expression(0));
      made.push_back(pair);
      if (!token_.is(",")) break;
      TRY(advance());
    }
  }
  TRY(expect("}", true));
  return made;
}

Eval<Node*> Parser::conditional(Node* condition, size_t position) {
  Node* made = make(NodeType::condition, position);
  made->lhs = condition;
  TRY_ASSIGN(made->rhs, expression(0));
  if (token_.is(":")) {
    TRY(advance());
    TRY_ASSIGN(made->third, expression(0));
  }
  return made;
}

Eval<Node*> Parser::transform(size_t position) {
  Node* made = make(NodeType::transform, position);
  TRY_ASSIGN(made->lhs, expression(0));
  TRY(expect("|"));
  TRY_ASSIGN(made->rhs, expression(0));
  if (token_.is(",")) {
    TRY(advance());
    TRY_ASSIGN(made->third, expression(0));
  }
  TRY(expect("|", true));
  return made;
}

Eval<std::shared_ptr<const Program>> parse_jsonata(std::string_view text) {
  if (text.size() > kMaxExpressionBytes) return fault_memory();
  auto program = std::make_shared<Program>();
  Parser parser(text, *program);
  TRY_ASSIGN(Node * raw, parser.parse());
  TRY_ASSIGN(program->root, finish(raw, *program));
  return program;
}

}  // namespace hearth::expression
