// Parser: top-down operator precedence over the lexer's tokens; then `finish` turns the raw tree into location paths.
// Internal to parse_jsonata.
#pragma once

#include "graph/expression/jsonata_lexer.h"
#include "graph/expression/jsonata_signature.h"
#include "graph/expression/jsonata_tree.h"

namespace hearth::expression {

std::unexpected<FaultPtr> fault_at(std::string_view code, size_t position, std::string token = {}, Value value = {});

class Parser {
 public:
  Parser(std::string_view source, Program& program) : lexer_(source), program_(program), source_(source) {}

  // The raw tree of the whole text.
  Eval<Node*> parse();

 private:
  Eval<Node*> expression(int right_power);
  Eval<Node*> prefix(Token token);
  Eval<Node*> infix(const Token& token, Node* left);
  Eval<Value> advance(bool after_operand = false);
  Eval<Value> expect(std::string_view op, bool after_operand = false);

  Eval<Node*> call(Node* left, size_t position);
  Eval<Node*> lambda(Node* made);
  Eval<const Signature*> lambda_signature();
  Eval<Node*> block(size_t position);
  Eval<Node*> array(size_t position);
  Eval<Node*> predicate(Node* left, size_t position);
  Eval<Node*> order_by(Node* left, size_t position);
  Eval<std::vector<Pair>> pairs();
  Eval<Node*> bound(Node* left, const Token& token);
  Eval<Node*> conditional(Node* condition, size_t position);
  Eval<Node*> transform(size_t position);

  Node* make(NodeType type, size_t position, Op op = Op::none);
  Node* leaf(const Token& token);

  Lexer lexer_;
  Program& program_;
  std::string_view source_;
  Token token_;
  uint32_t depth_ = 0;
};

// The second pass: paths, predicates, ancestry of `%`, tail calls.
Eval<Node*> finish(Node* raw, Program& program);

}  // namespace hearth::expression
