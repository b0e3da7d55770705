#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "graph/expression/encoding.h"
#include "graph/expression/intrinsic_call.h"
#include "graph/expression/json_text.h"
#include "graph/expression/number_text.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

using Outcome = std::optional<Value>;

constexpr int64_t kMinInt = std::numeric_limits<int32_t>::min();
constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();

// A number with its fraction cut off (Java's intValue); none beyond 32 bits.
std::optional<int64_t> whole(const Value& value) {
  if (!value.is_number()) return std::nullopt;
  double number = std::trunc(value.as_double());
  if (!(number >= static_cast<double>(kMinInt) && number <= static_cast<double>(kMaxInt))) return std::nullopt;
  return static_cast<int64_t>(number);
}

bool is_short_text(const Value& value) {
  return value.is_string() && count_utf16_units(value.as_string()) <= kMaxIntrinsicText;
}

Value array_of(std::span<const Value> items) { return Value::array({items.begin(), items.end()}); }

Outcome array(const IntrinsicArguments& arguments) { return array_of(arguments.values); }

Outcome array_partition(const IntrinsicArguments& arguments) {
  auto size = whole(arguments[1]);
  if (!arguments[0].is_array() || !size || *size < 1) return std::nullopt;
  auto items = arguments[0].items();
  std::vector<Value> chunks;
  while (!items.empty()) {
    size_t take = std::min(items.size(), static_cast<size_t>(*size));
    chunks.push_back(array_of(items.first(take)));
    items = items.subspan(take);
  }
  return Value::array(std::move(chunks));
}

bool contains(std::span<const Value> items, const Value& wanted) {
  return std::ranges::any_of(items, [&](const Value& item) { return deep_equal_spelled(item, wanted); });
}

Outcome array_contains(const IntrinsicArguments& arguments) {
  if (!arguments[0].is_array()) return std::nullopt;
  return Value::boolean(contains(arguments[0].items(), arguments[1]));
}

Outcome array_range(const IntrinsicArguments& arguments) {
  auto first = whole(arguments[0]);
  auto last = whole(arguments[1]);
  auto step = whole(arguments[2]);
  if (!first || !last || !step || *step == 0) return std::nullopt;
  std::vector<Value> items;
  for (int64_t i = *first; *step > 0 ? i <= *last : i >= *last; i += *step) {
    if (items.size() == kMaxIntrinsicRange) return std::nullopt;
    items.push_back(Value::integer(i));
  }
  return Value::array(std::move(items));
}

Outcome array_get_item(const IntrinsicArguments& arguments) {
  auto index = whole(arguments[1]);
  if (!arguments[0].is_array() || !index || *index < 0) return std::nullopt;
  if (*index >= static_cast<int64_t>(arguments[0].size())) return std::nullopt;
  return arguments[0].items()[static_cast<size_t>(*index)];
}

Outcome array_length(const IntrinsicArguments& arguments) {
  if (!arguments[0].is_array()) return std::nullopt;
  return Value::integer(static_cast<int64_t>(arguments[0].size()));
}

// One spelling for all values that deep_equal_spelled calls equal.
void append_canonical(std::string& out, const Value& value) {
  if (value.is_number() && !value.is_integer()) {
    out += "f" + js_number(value.as_double());
  } else if (value.is_array()) {
    out.push_back('[');
    for (const Value& item : value.items()) {
      append_canonical(out, item);
      out.push_back(',');
    }
    out.push_back(']');
  } else if (value.is_object()) {
    std::vector<const Member*> members;
    for (const Member& member : value.members()) members.push_back(&member);
    std::ranges::sort(members, {}, [](const Member* member) { return member->name(); });
    out.push_back('{');
    for (const Member* member : members) {
      append_json_string(out, member->name());
      append_canonical(out, member->value);
      out.push_back(',');
    }
    out.push_back('}');
  } else {
    append_json(out, value);
  }
}

Outcome array_unique(const IntrinsicArguments& arguments) {
  if (!arguments[0].is_array()) return std::nullopt;
  std::set<std::string> known;
  std::vector<Value> kept;
  for (const Value& item : arguments[0].items()) {
    std::string spelling;
    append_canonical(spelling, item);
    if (known.insert(std::move(spelling)).second) kept.push_back(item);
  }
  return Value::array(std::move(kept));
}

Outcome base64_encode(const IntrinsicArguments& arguments) {
  if (!is_short_text(arguments[0])) return std::nullopt;
  return Value::string(encode_base64(arguments[0].as_string()));
}

Outcome base64_decode(const IntrinsicArguments& arguments) {
  if (!is_short_text(arguments[0])) return std::nullopt;
  auto bytes = decode_base64(arguments[0].as_string());
  if (!bytes) return std::nullopt;
  return Value::string(repaired_utf8(*bytes));
}

Outcome hash(const IntrinsicArguments& arguments) {
  if (!is_short_text(arguments[0]) || !arguments[1].is_string()) return std::nullopt;
  auto digest = hex_digest(arguments[0].as_string(), arguments[1].as_string());
  if (!digest) return std::nullopt;
  return Value::string(*digest);
}

Outcome json_merge(const IntrinsicArguments& arguments) {
  bool shallow = arguments[2].is(Type::boolean) && !arguments[2].is_true();
  if (!arguments[0].is_object() || !arguments[1].is_object() || !shallow) return std::nullopt;
  std::vector<Member> members(arguments[0].members().begin(), arguments[0].members().end());
  members.insert(members.end(), arguments[1].members().begin(), arguments[1].members().end());
  return Value::object(std::move(members));
}

Outcome string_to_json(const IntrinsicArguments& arguments) {
  if (!arguments[0].is_string()) return std::nullopt;
  auto parsed = parse_json_value(arguments[0].as_string());
  if (!parsed) return std::nullopt;
  return *std::move(parsed);
}

Outcome json_to_string(const IntrinsicArguments& arguments) { return Value::string(to_json(arguments[0])); }

// A seed gives what java.util.Random gives for it.
Outcome math_random(const IntrinsicArguments& arguments) {
  auto first = whole(arguments[0]);
  auto end = whole(arguments[1]);
  if (!first || !end || *first >= *end) return std::nullopt;
  int64_t span = *end - *first;
  if (arguments.values.size() < 3) {
    if (!arguments.random) return std::nullopt;
    return Value::integer(*first + static_cast<int64_t>(arguments.random() % static_cast<uint64_t>(span)));
  }
  auto seed = whole(arguments[2]);
  if (!seed) return std::nullopt;
  JavaRandom random(*seed);
  if (span <= kMaxInt) return Value::integer(*first + random.next_int(static_cast<int32_t>(span)));
  return Value::integer(*first + static_cast<int64_t>(random.next_double() * static_cast<double>(span)));
}

Outcome math_add(const IntrinsicArguments& arguments) {
  auto a = whole(arguments[0]);
  auto b = whole(arguments[1]);
  if (!a || !b || *a + *b < kMinInt || *a + *b > kMaxInt) return std::nullopt;
  return Value::integer(*a + *b);
}

// Any character of the second argument separates; empty parts are dropped (java.util.StringTokenizer).
Outcome string_split(const IntrinsicArguments& arguments) {
  if (!arguments[0].is_string() || !arguments[1].is_string()) return std::nullopt;
  std::string_view text = arguments[0].as_string();
  std::u32string separators = to_utf32(arguments[1].as_string());
  std::vector<Value> parts;
  size_t from = 0;
  auto add = [&](size_t to) {
    if (to > from) parts.push_back(Value::string(text.substr(from, to - from)));
  };
  for (size_t at = 0; at < text.size();) {
    size_t here = at;
    if (separators.find(next_code_point(text, at)) == std::u32string::npos) continue;
    add(here);
    from = at;
  }
  add(text.size());
  return Value::array(std::move(parts));
}

Outcome uuid(const IntrinsicArguments& arguments) {
  if (!arguments.random) return std::nullopt;
  uint64_t high = arguments.random();
  return Value::string(uuid_of(high, arguments.random()));
}

constexpr IntrinsicFunction kFunctions[] = {
    {"States.Format", nullptr, 1, kMaxIntrinsicArguments},
    {"States.StringToJson", string_to_json, 1, 1},
    {"States.JsonToString", json_to_string, 1, 1},
    {"States.Array", array, 0, kMaxIntrinsicArguments},
    {"States.ArrayPartition", array_partition, 2, 2},
    {"States.ArrayContains", array_contains, 2, 2},
    {"States.ArrayRange", array_range, 3, 3},
    {"States.ArrayGetItem", array_get_item, 2, 2},
    {"States.ArrayLength", array_length, 1, 1},
    {"States.ArrayUnique", array_unique, 1, 1},
    {"States.Base64Encode", base64_encode, 1, 1},
    {"States.Base64Decode", base64_decode, 1, 1},
    {"States.Hash", hash, 2, 2},
    {"States.JsonMerge", json_merge, 3, 3},
    {"States.MathRandom", math_random, 2, 3},
    {"States.MathAdd", math_add, 2, 2},
    {"States.StringSplit", string_split, 2, 2},
    {"States.UUID", uuid, 0, 0},
};

// As Step Functions prints an argument: text as it is, objects and arrays as Java's maps and lists.
void append_argument(std::string& out, const Value& value) {
  if (value.is_string()) {
    out += value.as_string();
  } else {
    out += to_java_text(value);
  }
}

}  // namespace

const IntrinsicFunction* find_intrinsic(std::string_view name) {
  auto found = std::ranges::find(kFunctions, name, &IntrinsicFunction::name);
  return found == std::end(kFunctions) ? nullptr : &*found;
}

Result<Value> format_template(std::string_view pattern, std::span<const Value> values) {
  std::string out;
  size_t used = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      char next = pattern[i + 1];
      if (std::string_view("'{}\\").find(next) == std::string_view::npos) out.push_back(c);
      out.push_back(next);
      ++i;
    } else if (c == '{') {
      if (i + 1 == pattern.size() || pattern[i + 1] != '}') {
        return fail(Kind::invalid, "Invalid template in States.Format: matching '}' not found for '{'.");
      }
      if (used < values.size()) append_argument(out, values[used]);
      ++used;
      ++i;
    } else if (c == '}') {
      return fail(Kind::invalid, "Invalid template in States.Format: matching '{' not found for '}'.");
    } else {
      out.push_back(c);
    }
    if (out.size() > kMaxIntrinsicResult) return fail(Kind::exhausted, "States.Format builds too much");
  }
  if (used != values.size()) {
    return fail(Kind::invalid,
                "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.");
  }
  return Value::string(out);
}

}  // namespace hearth::expression
