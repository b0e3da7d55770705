// $contains $match $replace $split: by text, by regular expression, or by a matcher that the expression defines itself.
#include <cmath>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

// One match: bytes of the subject, and the object that user functions see.
struct Found {
  Value object;
  size_t begin = 0;
  size_t end = 0;
};

// Walks the matches of a matcher function over one subject.
class Matches {
 public:
  Matches(const Call& call, const Value& matcher, const Value& subject)
      : call_(call), matcher_(matcher), subject_(subject) {}

  // The first match, then the next; none at the end.
  Eval<bool> advance(Found& found) {
    std::vector<Value> arguments;
    if (!started_) arguments.push_back(subject_);
    const Value function = started_ ? next_ : matcher_;
    started_ = true;
    TRY_ASSIGN(Value object, call_.evaluator.apply(function, std::move(arguments), Value::null(), call_.frame));
    if (object.is_undefined()) return false;
    const Value* start = object.find("start");
    const Value* end = object.find("end");
    const Value* groups = object.find("groups");
    const Value* next = object.find("next");
    bool usable = start != nullptr && start->is_number() && end != nullptr && end->is_number() && groups != nullptr &&
                  groups->is_array() && next != nullptr && next->is_function();
    if (!usable) return fault("T1010");
    std::string_view text = subject_.as_string();
    found.begin = offset_of_utf16_unit(text, position(*start));
    found.end = std::max(found.begin, offset_of_utf16_unit(text, position(*end)));
    next_ = *next;
    found.object = std::move(object);
    return true;
  }

 private:
  static size_t position(const Value& number) {
    double position = number.as_double();
    return position > 0 && position < 1e15 ? static_cast<size_t>(position) : 0;
  }

  const Call& call_;
  Value matcher_;
  Value subject_;
  Value next_;
  bool started_ = false;
};

// Whether a limit allows one more; D30xx when it is negative.
struct Limit {
  double most = INFINITY;
  bool allows(double count) const { return count < most; }
};

Eval<Limit> limit_of(const Value& value, std::string_view code) {
  if (!value.is_number()) return Limit{};
  if (value.as_double() < 0) return fault(code, value);
  return Limit{value.as_double()};
}

Eval<> contains(const Call& call) {
  if (call[0].is_undefined()) return Value();
  if (call[1].is_string()) {
    return Value::boolean(call[0].as_string().find(call[1].as_string()) != std::string_view::npos);
  }
  if (!call[1].is_function()) return fault("T0410");
  Matches matches(call, call[1], call[0]);
  Found found;
  TRY_ASSIGN(bool any, matches.advance(found));
  return Value::boolean(any);
}

Eval<> match(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY_ASSIGN(Limit limit, limit_of(call[2], "D3040"));
  std::vector<Value> results;
  Matches matches(call, call[1], call[0]);
  Found found;
  while (limit.allows(static_cast<double>(results.size()))) {
    TRY_ASSIGN(bool any, matches.advance(found));
    if (!any) break;
    const Value* text = found.object.find("match");
    results.push_back(Value::object({{Value::string("match"), text == nullptr ? Value() : *text},
                                     {Value::string("index"), *found.object.find("start")},
                                     {Value::string("groups"), *found.object.find("groups")}}));
  }
  return Value::array(std::move(results), kSequence);
}

// parseInt over at most `digits` characters; -1 when there is no digit.
int leading_number(std::string_view text, size_t digits) {
  int number = -1;
  for (size_t i = 0; i < digits && i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    number = std::max(number, 0) * 10 + (text[i] - '0');
  }
  return number;
}

// The replacement with $0, $1 … $$ filled in.
std::string substitute(std::string_view replacement, std::string_view matched, std::span<const Value> groups) {
  std::string out;
  size_t at = 0;
  for (;;) {
    size_t dollar = replacement.find('$', at);
    out += replacement.substr(at, dollar - at);
    if (dollar == std::string_view::npos) return out;
    at = dollar + 1;
    char next = at < replacement.size() ? replacement[at] : '\0';
    if (next == '$' || next == '0') {
      out += next == '$' ? std::string_view("$") : matched;
      ++at;
      continue;
    }
    // As many digits as the number of groups has; one fewer when that names no group.
    size_t digits = std::to_string(groups.size()).size();
    int index = leading_number(replacement.substr(at), digits);
    if (digits > 1 && index > static_cast<int>(groups.size()))
      index = leading_number(replacement.substr(at), digits - 1);
    if (index < 0) {
      out += '$';
      continue;
    }
    if (index >= 1 && index <= static_cast<int>(groups.size())) {
      const Value& group = groups[static_cast<size_t>(index) - 1];
      if (group.is_string()) out += group.as_string();
    }
    at += std::to_string(index).size();
  }
}

Eval<std::string> replacement_of(const Call& call, const Found& found, std::string_view matched) {
  const Value& replacement = call[2];
  if (replacement.is_string()) {
    return substitute(replacement.as_string(), matched, found.object.find("groups")->items());
  }
  TRY_ASSIGN(Value made, call.evaluator.apply(replacement, {found.object}, Value::null(), call.frame));
  if (!made.is_string()) return fault("D3012", made);
  return std::string(made.as_string());
}

Eval<> replace_text(const Call& call, Limit limit) {
  std::string_view text = call[0].as_string();
  std::string_view pattern = call[1].as_string();
  if (!call[2].is_string()) return fault("D3012", call[2]);
  std::string out;
  size_t at = 0;
  for (double count = 0; limit.allows(count); ++count) {
    size_t found = text.find(pattern, at);
    if (found == std::string_view::npos) break;
    out.append(text.substr(at, found - at)).append(call[2].as_string());
    at = found + pattern.size();
    TRY(call.evaluator.step());
    TRY(call.evaluator.charge(static_cast<int64_t>(out.size())));
  }
  return Value::string(out.append(text.substr(at)));
}

Eval<> replace(const Call& call) {
  if (call[0].is_undefined()) return Value();
  if (call[1].is_string() && call[1].size() == 0) return fault("D3010", call[1]);
  TRY_ASSIGN(Limit limit, limit_of(call[3], "D3011"));
  if (!limit.allows(0)) return call[0];
  if (call[1].is_string()) return replace_text(call, limit);
  if (!call[1].is_function() || call[2].is_undefined()) return fault("T0410");
  std::string_view text = call[0].as_string();
  std::string out;
  size_t at = 0;
  Matches matches(call, call[1], call[0]);
  Found found;
  for (double count = 0; limit.allows(count); ++count) {
    TRY_ASSIGN(bool any, matches.advance(found));
    if (!any) break;
    if (found.begin > at) out.append(text.substr(at, found.begin - at));
    TRY_ASSIGN(std::string piece, replacement_of(call, found, text.substr(found.begin, found.end - found.begin)));
    out += piece;
    at = found.end;
    TRY(call.evaluator.charge(static_cast<int64_t>(out.size())));
  }
  return Value::string(out.append(text.substr(at)));
}

Eval<> split_text(const Call& call, Limit limit) {
  std::string_view text = call[0].as_string();
  std::string_view separator = call[1].as_string();
  std::vector<Value> parts;
  // String.split takes a limit as an integer.
  limit.most = std::floor(limit.most);
  size_t at = 0;
  if (separator.empty()) {
    while (at < text.size() && limit.allows(static_cast<double>(parts.size()))) {
      size_t from = at;
      next_code_point(text, at);
      parts.push_back(Value::string(text.substr(from, at - from)));
      TRY(call.evaluator.charge(0));
    }
    return Value::array(std::move(parts));
  }
  while (limit.allows(static_cast<double>(parts.size()))) {
    size_t found = text.find(separator, at);
    parts.push_back(Value::string(text.substr(at, found - at)));
    TRY(call.evaluator.charge(0));
    if (found == std::string_view::npos) break;
    at = found + separator.size();
  }
  return Value::array(std::move(parts));
}

Eval<> split(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY_ASSIGN(Limit limit, limit_of(call[2], "D3020"));
  if (!limit.allows(0)) return Value::array({});
  if (call[1].is_string()) return split_text(call, limit);
  if (!call[1].is_function()) return fault("T0410");
  std::string_view text = call[0].as_string();
  std::vector<Value> parts;
  size_t at = 0;
  Matches matches(call, call[1], call[0]);
  Found found;
  while (limit.allows(static_cast<double>(parts.size()))) {
    TRY_ASSIGN(bool any, matches.advance(found));
    if (!any) break;
    parts.push_back(Value::string(text.substr(at, std::max(at, found.begin) - at)));
    at = found.end;
  }
  if (limit.allows(static_cast<double>(parts.size()))) parts.push_back(Value::string(text.substr(at)));
  return Value::array(std::move(parts));
}

constexpr Builtin kPatterns[] = {
    {"contains", contains, "<s-(sf):b>", 2, 2},
    {"match", match, "<s-f<s:o>n?:a<o>>", 3, 3},
    {"replace", replace, "<s-(sf)(sf)n?:s>", 4, 4},
    {"split", split, "<s-(sf)n?:a<s>>", 3, 3},
};

}  // namespace

std::span<const Builtin> pattern_builtins() { return kPatterns; }

}  // namespace hearth::expression
