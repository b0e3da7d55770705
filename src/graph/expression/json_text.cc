#include "graph/expression/json_text.h"

#include <array>

#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Value> document() {
    TRY_ASSIGN(Value value, parse(0));
    skip_space();
    if (at_ != text_.size()) return refuse("end of the document");
    return value;
  }

 private:
  Result<Value> parse(uint32_t depth) {
    if (depth > kMaxJsonDepth)
      return fail(Kind::exhausted, "JSON is nested deeper than " + std::to_string(kMaxJsonDepth));
    skip_space();
    if (at_ == text_.size()) return refuse("a value");
    switch (text_[at_]) {
      case '{':
        return parse_object(depth);
      case '[':
        return parse_array(depth);
      case '"': {
        TRY_ASSIGN(std::string_view text, parse_string());
        return Value::string(text);
      }
      case 't':
        return parse_word("true", Value::boolean(true));
      case 'f':
        return parse_word("false", Value::boolean(false));
      case 'n':
        return parse_word("null", Value::null());
      default:
        return parse_number();
    }
  }

  Result<Value> parse_object(uint32_t depth) {
    std::vector<Member> members;
    ++at_;
    skip_space();
    if (take('}')) return plain(Value::object(std::move(members)));
    for (;;) {
      skip_space();
      if (at_ == text_.size() || text_[at_] != '"') return refuse("a member name");
      TRY_ASSIGN(std::string_view name, parse_string());
      Value key = key_of(name);
      skip_space();
      if (!take(':')) return refuse("':'");
      TRY_ASSIGN(Value value, parse(depth + 1));
      members.push_back({std::move(key), std::move(value)});
      skip_space();
      if (take(',')) continue;
      if (take('}')) return plain(Value::object(std::move(members)));
      return refuse("',' or '}'");
    }
  }

  Result<Value> parse_array(uint32_t depth) {
    std::vector<Value> items;
    ++at_;
    skip_space();
    if (take(']')) return plain(Value::array(std::move(items)));
    for (;;) {
      TRY_ASSIGN(Value value, parse(depth + 1));
      items.push_back(std::move(value));
      skip_space();
      if (take(',')) continue;
      if (take(']')) return plain(Value::array(std::move(items)));
      return refuse("',' or ']'");
    }
  }

  static Value plain(Value value) {
    value.mark_plain();
    return value;
  }

  // Keys repeat from object to object: the ones seen last are shared.
  Value key_of(std::string_view name) {
    size_t slot = name.size() * 31;
    if (!name.empty()) slot += static_cast<unsigned char>(name.front()) * 7U + static_cast<unsigned char>(name.back());
    Value& kept = keys_[slot % keys_.size()];
    if (kept.is_undefined() || kept.as_string() != name) kept = Value::string(name);
    return kept;
  }

  // The text between the quotes: a view of the document while nothing is escaped, of buffer_ otherwise.
  Result<std::string_view> parse_string() {
    size_t from = ++at_;
    while (at_ < text_.size()) {
      skip_plain();
      if (at_ == text_.size()) break;
      char c = text_[at_];
      if (c == '"') return text_.substr(from, at_++ - from);
      if (c == '\\') break;
      TRY(take_character());
    }
    buffer_.assign(text_.substr(from, at_ - from));
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '"') return ++at_, std::string_view(buffer_);
      if (c == '\\') {
        TRY(unescape());
        continue;
      }
      size_t start = at_;
      TRY(take_character());
      buffer_.append(text_.substr(start, at_ - start));
    }
    return refuse("'\"'");
  }

  // Past characters that mean themselves.
  void skip_plain() {
    auto plain = [](signed char c) { return c >= 0x20 && c != '"' && c != '\\'; };  // no byte from 0x80 on
    while (at_ < text_.size() && plain(text_[at_])) ++at_;
  }

  Result<> take_character() {
    auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte >= 0x20 && byte < 0x80) return ++at_, Result<>();
    if (byte < 0x20) return refuse("an escape for a control character");
    size_t start = at_;
    char32_t point = next_code_point(text_, at_);
    bool replaced = point == 0xFFFD && at_ - start == 1;
    if (replaced || (point >= 0xD800 && point <= 0xDFFF)) return at_ = start, refuse("UTF-8");
    return {};
  }

  Result<> unescape() {
    if (at_ + 1 >= text_.size()) return refuse("an escape");
    char c = text_[at_ + 1];
    static constexpr std::string_view kEscapes = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (size_t i = kEscapes.find(c); i != std::string_view::npos) {
      buffer_.push_back(kMeanings[i]);
      at_ += 2;
      return {};
    }
    if (c != 'u') return refuse("an escape");
    TRY_ASSIGN(char32_t unit, read_unit());
    if (unit >= 0xD800 && unit <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
      size_t back = at_;
      TRY_ASSIGN(char32_t low, read_unit());
      if (low >= 0xDC00 && low <= 0xDFFF) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
      } else {
        at_ = back;
      }
    }
    append_utf8(buffer_, unit);
    return {};
  }

  Result<char32_t> read_unit() {
    char32_t unit = 0;
    for (size_t i = 2; i < 6; ++i) {
      char c = at_ + i < text_.size() ? text_[at_ + i] : '\0';
      char32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<char32_t>(c - '0');
      } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        digit = static_cast<char32_t>((c | 0x20) - 'a' + 10);
      } else {
        return refuse("four hexadecimal digits");
      }
      unit = unit * 16 + digit;
    }
    at_ += 6;
    return unit;
  }

  Result<Value> parse_word(std::string_view word, Value value) {
    if (text_.substr(at_, word.size()) != word) return refuse("a value");
    at_ += word.size();
    return value;
  }

  Result<Value> parse_number() {
    size_t end = text_.find_first_not_of("+-.0123456789eE", at_);
    std::string_view number = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
    auto value = Value::spelled(number);
    if (!value) return refuse("a value");
    at_ += number.size();
    return value;
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Failure refuse(std::string_view expected) const {
    return fail(Kind::invalid, "JSON: expected " + std::string(expected) + " at byte " + std::to_string(at_));
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string buffer_;
  std::array<Value, 64> keys_;
};

void append_number(std::string& out, const Value& number) {
  std::string text = number.number_text();
  bool infinite = text.ends_with('y');  // "Infinity", "-Infinity"
  if (infinite || text == "NaN") return append_json_string(out, text);
  out += text;
}

void append_escape(std::string& out, unsigned unit) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHex[(unit >> shift) & 0xF]);
}

void append_java(std::string& out, const Value& value) {
  if (value.is_array()) {
    out.push_back('[');
    bool first = true;
    for (const Value& item : value.items()) {
      if (!first) out += ", ";
      first = false;
      append_java(out, item);
    }
    out.push_back(']');
  } else if (value.is_object()) {
    out.push_back('{');
    bool first = true;
    for (const Member& member : value.members()) {
      if (!first) out += ", ";
      first = false;
      out.append(member.name()).push_back('=');
      append_java(out, member.value);
    }
    out.push_back('}');
  } else if (value.is_string()) {
    out += value.as_string();
  } else {
    append_json(out, value);
  }
}

}  // namespace

Result<Value> parse_json_value(std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes)
    return fail(Kind::exhausted, "JSON of more than " + std::to_string(max_bytes) + " bytes");
  return Parser(text).document();
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    bool surrogate = byte == 0xED && i + 2 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0xA0;
    if (byte >= 0x20 && byte != '"' && byte != '\\' && !surrogate) continue;
    out.append(text.substr(copied, i - copied));
    static constexpr std::string_view kControls = "\b\f\n\r\t";
    if (surrogate) {
      unsigned unit = 0xD000U | ((static_cast<unsigned char>(text[i + 1]) & 0x3FU) << 6) |
                      (static_cast<unsigned char>(text[i + 2]) & 0x3FU);
      append_escape(out, unit);
      i += 2;
    } else if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(text[i]);
    } else if (size_t at = kControls.find(text[i]); at != std::string_view::npos) {
      out.push_back('\\');
      out.push_back("bfnrt"[at]);
    } else {
      append_escape(out, byte);
    }
    copied = i + 1;
  }
  out.append(text.substr(copied));
  out.push_back('"');
}

void append_json(std::string& out, const Value& value) {
  switch (value.type()) {
    case Type::undefined:
    case Type::function:
    case Type::null:
      out += "null";
      return;
    case Type::boolean:
      out += value.is_true() ? "true" : "false";
      return;
    case Type::number:
      return append_number(out, value);
    case Type::string:
      return append_json_string(out, value.as_string());
    case Type::array: {
      char separator = '[';
      for (const Value& item : value.items()) {
        out.push_back(separator);
        append_json(out, item);
        separator = ',';
      }
      if (separator == '[') out.push_back('[');
      out.push_back(']');
      return;
    }
    case Type::object: {
      char separator = '{';
      for (const Member& member : value.members()) {
        if (member.value.is_undefined() || member.value.is_function()) continue;
        out.push_back(separator);
        append_json_string(out, member.name());
        out.push_back(':');
        append_json(out, member.value);
        separator = ',';
      }
      if (separator == '{') out.push_back('{');
      out.push_back('}');
      return;
    }
  }
}

std::string to_json(const Value& value) {
  std::string out;
  append_json(out, value);
  return out;
}

std::string to_java_text(const Value& value) {
  std::string out;
  append_java(out, value);
  return out;
}

}  // namespace hearth::expression
