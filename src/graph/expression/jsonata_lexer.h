// Lexer: JSONata text to tokens, one at a time, since whether `/` divides or begins a regular expression is for the
// parser to say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "graph/expression/fault.h"
#include "graph/expression/regex.h"

namespace hearth::expression {

struct Token {
  enum class Kind : uint8_t { end, op, name, variable, string, number, value, regex };
  Kind kind = Kind::end;
  std::string_view op;  // of op: its spelling, a view of static text or of the source
  Value value;          // the name, text, number, true, false or null
  std::optional<Regex> regex;
  size_t position = 0;

  bool is(std::string_view spelling) const { return kind == Kind::op && op == spelling; }
  std::string text() const;
};

class Lexer {
 public:
  // REQUIRES: `source` outlives the lexer.
  explicit Lexer(std::string_view source) : source_(source) {}

  // The next token; with `after_operand`, `/` is the division sign.
  Eval<Token> next(bool after_operand);

 private:
  char at(size_t position) const { return position < source_.size() ? source_[position] : '\0'; }
  Eval<bool> skip_blanks();
  Eval<Token> regex_token();
  Eval<Token> string_token(char quote);
  Eval<> escape(std::string& text);
  Eval<Token> number_token(size_t length);
  Eval<Token> quoted_name();
  Token name_token();
  std::unexpected<FaultPtr> refuse(std::string_view code, size_t position, std::string token = {}) const;

  std::string_view source_;
  size_t position_ = 0;
};

}  // namespace hearth::expression
