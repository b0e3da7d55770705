#include "graph/expression/jsonata_lexer.h"

#include <array>
#include <cmath>

#include "graph/expression/json_text.h"
#include "graph/expression/number_text.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

constexpr std::string_view kBlanks = " \t\n\r\v";
constexpr std::string_view kOperatorCharacters = ".[]{}(),@#;:?+-*/%|=<>^&!~";
constexpr auto kPairs = std::to_array<std::string_view>({"..", ":=", "!=", ">=", "<=", "**", "~>"});

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The length of the number that `text` begins with: /(0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?/.
size_t number_length(std::string_view text) {
  size_t i = 0;
  auto digits = [&](size_t from) {
    size_t end = from;
    while (end < text.size() && is_digit(text[end])) ++end;
    return end;
  };
  if (text.empty() || !is_digit(text[0])) return 0;
  i = text[0] == '0' ? 1 : digits(0);
  if (i < text.size() && text[i] == '.' && digits(i + 1) > i + 1) i = digits(i + 1);
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    size_t from = i + 1;
    if (from < text.size() && (text[from] == '+' || text[from] == '-')) ++from;
    if (digits(from) > from) i = digits(from);
  }
  return i;
}

}  // namespace

std::string Token::text() const {
  if (kind == Kind::op) return std::string(op);
  if (kind == Kind::end) return "(end)";
  return value.is_string() ? std::string(value.as_string()) : to_json(value);
}

std::unexpected<FaultPtr> Lexer::refuse(std::string_view code, size_t position, std::string token) const {
  auto refused = fault(code);
  refused.error()->position = position;
  refused.error()->token = std::move(token);
  return refused;
}

// True when something was skipped that blanks may follow (a comment).
Eval<bool> Lexer::skip_blanks() {
  while (position_ < source_.size() && kBlanks.find(source_[position_]) != std::string_view::npos) ++position_;
  if (at(position_) != '/' || at(position_ + 1) != '*') return false;
  size_t end = source_.find("*/", position_ + 2);
  if (end == std::string_view::npos) return refuse("S0106", position_);
  position_ = end + 2;
  return true;
}

Eval<Token> Lexer::next(bool after_operand) {
  for (;;) {
    TRY_ASSIGN(bool again, skip_blanks());
    if (!again) break;
  }
  Token token;
  token.position = position_;
  if (position_ >= source_.size()) return token;
  char c = source_[position_];
  if (!after_operand && c == '/') return regex_token();
  for (std::string_view pair : kPairs) {
    if (source_.substr(position_, 2) != pair) continue;
    token.kind = Token::Kind::op;
    token.op = pair;
    position_ += 2;
    return token;
  }
  if (kOperatorCharacters.find(c) != std::string_view::npos) {
    token.kind = Token::Kind::op;
    token.op = source_.substr(position_++, 1);
    return token;
  }
  if (c == '"' || c == '\'') return string_token(c);
  if (size_t length = number_length(source_.substr(position_)); length > 0) return number_token(length);
  if (c == '`') return quoted_name();
  return name_token();
}

Eval<Token> Lexer::number_token(size_t length) {
  std::string_view text = source_.substr(position_, length);
  double number = read_decimal(text).value_or(INFINITY);
  if (!std::isfinite(number)) return refuse("S0102", position_, std::string(text));
  Token token{Token::Kind::number, {}, Value::number(number), std::nullopt, position_};
  position_ += length;
  return token;
}

Eval<Token> Lexer::quoted_name() {
  size_t start = position_;
  size_t end = source_.find('`', position_ + 1);
  if (end == std::string_view::npos) return refuse("S0105", source_.size());
  position_ = end + 1;
  return Token{Token::Kind::name, {}, Value::string(source_.substr(start + 1, end - start - 1)), std::nullopt, start};
}

Token Lexer::name_token() {
  size_t start = position_;
  while (position_ < source_.size() && kBlanks.find(source_[position_]) == std::string_view::npos &&
         kOperatorCharacters.find(source_[position_]) == std::string_view::npos) {
    ++position_;
  }
  std::string_view name = source_.substr(start, position_ - start);
  Token token{Token::Kind::name, {}, {}, std::nullopt, start};
  if (!name.empty() && name[0] == '$') {
    token.kind = Token::Kind::variable;
    token.value = Value::string(name.substr(1));
  } else if (name == "and" || name == "or" || name == "in") {
    token.kind = Token::Kind::op;
    token.op = name;
  } else if (name == "true" || name == "false" || name == "null") {
    token.kind = Token::Kind::value;
    token.value = name == "null" ? Value::null() : Value::boolean(name == "true");
  } else {
    token.value = Value::string(name);
  }
  return token;
}

Eval<Token> Lexer::string_token(char quote) {
  size_t start = position_++;
  std::string text;
  while (position_ < source_.size()) {
    char c = source_[position_];
    if (c == quote) {
      ++position_;
      return Token{Token::Kind::string, {}, Value::string(text), std::nullopt, start};
    }
    if (c == '\\') {
      ++position_;
      TRY(escape(text));
    } else {
      text.push_back(c);
      ++position_;
    }
  }
  return refuse("S0101", position_);
}

// Takes what follows a backslash; a pair of surrogate escapes becomes one character.
Eval<> Lexer::escape(std::string& text) {
  static constexpr std::string_view kEscapes = "\"\\/bfnrt";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  char c = at(position_);
  if (size_t i = kEscapes.find(c); c != '\0' && i != std::string_view::npos) {
    text.push_back(kMeanings[i]);
    ++position_;
    return Value();
  }
  if (c != 'u') {
    size_t end = position_;
    if (end < source_.size()) next_code_point(source_, end);
    return refuse("S0103", position_, std::string(source_.substr(position_, end - position_)));
  }
  char32_t unit = 0;
  for (size_t i = 1; i <= 4; ++i) {
    char digit = at(position_ + i);
    bool letter = (digit | 0x20) >= 'a' && (digit | 0x20) <= 'f';
    if (!is_digit(digit) && !letter) return refuse("S0104", position_);
    unit = unit * 16 + static_cast<char32_t>(letter ? (digit | 0x20) - 'a' + 10 : digit - '0');
  }
  position_ += 5;
  bool low = unit >= 0xDC00 && unit <= 0xDFFF;
  if (low && text.size() >= 3) {
    size_t before = text.size() - 3;
    size_t end = before;
    char32_t high = next_code_point(text, end);
    if (end == text.size() && high >= 0xD800 && high <= 0xDBFF) {
      text.resize(before);
      unit = 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00);
    }
  }
  append_utf8(text, unit);
  return Value();
}

Eval<Token> Lexer::regex_token() {
  size_t start = ++position_;
  int depth = 0;
  for (; position_ < source_.size(); ++position_) {
    char c = source_[position_];
    size_t backslashes = 0;
    while (position_ - backslashes > start && source_[position_ - backslashes - 1] == '\\') ++backslashes;
    if (c == '/' && depth == 0 && backslashes % 2 == 0) break;
    if (backslashes > 0) continue;
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
  }
  if (position_ >= source_.size()) return refuse("S0302", position_);
  std::string_view pattern = source_.substr(start, position_ - start);
  if (pattern.empty()) return refuse("S0301", position_);
  Regex::Flags flags;
  for (++position_; at(position_) == 'i' || at(position_) == 'm'; ++position_) {
    (at(position_) == 'i' ? flags.ignore_case : flags.multiline) = true;
  }
  auto regex = Regex::compile(pattern, flags);
  if (!regex) {
    auto refused = refuse("S0303", start);
    refused.error()->text = regex.error().message;
    return refused;
  }
  return Token{Token::Kind::regex, {}, Value::string(pattern), *std::move(regex), start - 1};
}

}  // namespace hearth::expression
