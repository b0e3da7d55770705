// JSON text to Value and back. Strict by RFC 8259; what it refuses: more than the limits, anything after the value,
// bytes that are not UTF-8. Number spelling, member order and lone surrogate escapes survive the round trip.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "graph/expression/value.h"

namespace hearth::expression {

inline constexpr size_t kMaxJsonBytes = 16 << 20;
inline constexpr uint32_t kMaxJsonDepth = 512;

// Kind::invalid with the byte offset and what was expected there; Kind::exhausted beyond a limit.
Result<Value> parse_json_value(std::string_view text, size_t max_bytes = kMaxJsonBytes);

// Compact, as JSON.stringify writes: undefined and functions are null in arrays and missing in objects; a number that
// is no JSON number ("Infinity", "NaN") becomes a string, as Step Functions returns it.
std::string to_json(const Value& value);
void append_json(std::string& out, const Value& value);
void append_json_string(std::string& out, std::string_view text);

// As Java prints maps and lists: `{Id=1, Tags=[a, b]}`; what States.Format makes of objects and arrays.
std::string to_java_text(const Value& value);

}  // namespace hearth::expression
