// $string $length $substring… $trim $pad $join $lowercase $uppercase $base64… $encodeUrl… $formatNumber.
#include <algorithm>
#include <cmath>

#include "graph/expression/encoding.h"
#include "graph/expression/format_number.h"
#include "graph/expression/json_text.h"
#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/number_text.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

// JSON.stringify with the reference's replacer: numbers to 15 digits, functions to "".
class Printer {
 public:
  Printer(Evaluator& evaluator, bool prettify) : evaluator_(evaluator), prettify_(prettify) {}

  Eval<> print(const Value& value) {
    TRY(evaluator_.step());
    TRY(evaluator_.charge(static_cast<int64_t>(out_.size())));
    if (value.is_array()) return print_items(value);
    if (value.is_object()) return print_members(value);
    if (value.is_function()) {
      out_ += "\"\"";
    } else if (value.is_number()) {
      double number = round_to_15_digits(value.as_double());
      out_ += std::isfinite(number) ? js_number(number) : "null";
    } else {
      append_json(out_, value);
    }
    return Value();
  }

  std::string take() { return std::move(out_); }

 private:
  Eval<> print_items(const Value& value) {
    begin('[');
    bool first = true;
    for (const Value& item : value.items()) {
      separate(first);
      TRY(print(item));
    }
    end(']', first);
    return Value();
  }

  Eval<> print_members(const Value& value) {
    begin('{');
    bool first = true;
    for (const Member& member : value.members()) {
      if (member.value.is_undefined()) continue;
      separate(first);
      append_json_string(out_, member.name());
      out_ += prettify_ ? ": " : ":";
      TRY(print(member.value));
    }
    end('}', first);
    return Value();
  }

  void begin(char bracket) {
    out_.push_back(bracket);
    ++indent_;
  }
  void separate(bool& first) {
    if (!first) out_.push_back(',');
    first = false;
    break_line();
  }
  void end(char bracket, bool empty) {
    --indent_;
    if (!empty) break_line();
    out_.push_back(bracket);
  }
  void break_line() {
    if (prettify_) out_.append("\n").append(indent_ * 2, ' ');
  }

  Evaluator& evaluator_;
  bool prettify_;
  size_t indent_ = 0;
  std::string out_;
};

}  // namespace

Eval<std::string> stringify(Evaluator& evaluator, const Value& value, bool prettify) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_function()) return std::string();
  if (value.is_number() && !std::isfinite(value.as_double())) return fault("D3001", value);
  Printer printer(evaluator, prettify);
  TRY(printer.print(value.marked(kOuterWrapper) ? value.items()[0] : value));
  return printer.take();
}

namespace {

Eval<> string(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY_ASSIGN(std::string text, stringify(call.evaluator, call[0], call[1].is_true()));
  return Value::string(text);
}

Eval<> length(const Call& call) {
  if (call[0].is_undefined()) return Value();
  return Value::integer(static_cast<int64_t>(count_code_points(call[0].as_string())));
}

// Array.prototype.slice's reading of an index.
double slice_index(double index, double size) {
  double whole = std::isnan(index) ? 0 : std::trunc(index);
  return whole < 0 ? std::max(0.0, size + whole) : std::min(whole, size);
}

Eval<> substring(const Call& call) {
  if (call[0].is_undefined()) return Value();
  std::string_view text = call[0].as_string();
  auto size = static_cast<double>(count_code_points(text));
  double start = call[1].is_number() ? call[1].as_double() : NAN;
  if (size + start < 0) start = 0;
  double end = size;
  if (call[2].is_number()) {
    double wanted = call[2].as_double();
    if (wanted <= 0) return Value::string("");
    end = slice_index(start >= 0 ? start + wanted : size + start + wanted, size);
  }
  double begin = slice_index(start, size);
  if (begin >= end) return Value::string("");
  size_t from = offset_of_code_point(text, static_cast<size_t>(begin));
  std::string_view rest = text.substr(from);
  return Value::string(rest.substr(0, offset_of_code_point(rest, static_cast<size_t>(end - begin))));
}

Eval<> substring_before(const Call& call) {
  if (call[0].is_undefined() || !call[1].is_string()) return call[0];
  std::string_view text = call[0].as_string();
  size_t at = text.find(call[1].as_string());
  return at == std::string_view::npos ? call[0] : Value::string(text.substr(0, at));
}

Eval<> substring_after(const Call& call) {
  if (call[0].is_undefined() || !call[1].is_string()) return call[0];
  std::string_view text = call[0].as_string();
  size_t at = text.find(call[1].as_string());
  return at == std::string_view::npos ? call[0] : Value::string(text.substr(at + call[1].size()));
}

template <std::string (*function)(std::string_view)>
Eval<> apply_to_text(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY(call.evaluator.charge(static_cast<int64_t>(call[0].size() * 2)));
  return Value::string(function(call[0].as_string()));
}

std::string trimmed(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Eval<> pad(const Call& call) {
  if (call[0].is_undefined()) return Value();
  std::string_view text = call[0].as_string();
  double width = call[1].is_number() ? call[1].as_double() : 0;
  std::string_view fill = call[2].is_string() && call[2].size() > 0 ? call[2].as_string() : std::string_view(" ");
  double missing = std::floor(std::fabs(width)) - static_cast<double>(count_code_points(text));
  if (!(missing > 0)) return call[0];
  if (missing * static_cast<double>(fill.size()) > 1e12) return fault_memory();
  auto wanted = static_cast<size_t>(missing);
  TRY(call.evaluator.charge(static_cast<int64_t>((wanted + 1) * fill.size() + text.size())));
  std::string padding;
  size_t points = count_code_points(fill);
  for (size_t made = 0; made + points <= wanted; made += points) padding += fill;
  padding += fill.substr(0, offset_of_code_point(fill, wanted % points));
  return Value::string(width > 0 ? std::string(text) + padding : padding + std::string(text));
}

Eval<> join(const Call& call) {
  if (call[0].is_undefined()) return Value();
  std::string_view separator = call[1].is_string() ? call[1].as_string() : std::string_view();
  size_t total = 0;
  for (const Value& part : call[0].items()) total += part.size() + separator.size();
  TRY(call.evaluator.charge(static_cast<int64_t>(total)));
  std::string joined;
  bool first = true;
  for (const Value& part : call[0].items()) {
    if (!first) joined += separator;
    first = false;
    if (part.is_string()) joined += part.as_string();
  }
  return Value::string(joined);
}

Eval<> base64_encode(const Call& call) {
  if (call[0].is_undefined()) return Value();
  // btoa over Buffer.from(text, 'binary'): the low byte of every UTF-16 unit.
  std::string bytes;
  for (char32_t point : to_utf32(call[0].as_string())) {
    if (point >= 0x10000) {
      bytes.push_back(static_cast<char>(0xD800 + ((point - 0x10000) >> 10)));
      point = 0xDC00 + ((point - 0x10000) & 0x3FF);
    }
    bytes.push_back(static_cast<char>(point));
  }
  return Value::string(encode_base64(bytes));
}

Eval<> base64_decode(const Call& call) {
  if (call[0].is_undefined()) return Value();
  std::string text;
  for (char byte : decode_base64_leniently(call[0].as_string())) append_utf8(text, static_cast<unsigned char>(byte));
  return Value::string(text);
}

std::unexpected<FaultPtr> malformed_url(const Call& call, std::string_view name) {
  auto made = fault("D3140", call[0]);
  made.error()->text = name;
  return made;
}

template <bool component>
Eval<> encode_url(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY(call.evaluator.charge(static_cast<int64_t>(call[0].size() * 3)));
  auto encoded = percent_encode(call[0].as_string(), component ? kUriComponentKept : kUriKept);
  if (!encoded) return malformed_url(call, component ? "encodeUrlComponent" : "encodeUrl");
  return Value::string(*encoded);
}

template <bool component>
Eval<> decode_url(const Call& call) {
  if (call[0].is_undefined()) return Value();
  auto decoded = percent_decode(call[0].as_string(), component ? std::string_view() : kUriReserved);
  if (!decoded) return malformed_url(call, component ? "decodeUrlComponent" : "decodeUrl");
  return Value::string(*decoded);
}

Eval<> format_number_call(const Call& call) {
  if (call[0].is_undefined()) return Value();
  if (!call[1].is_string()) return fault("T0410");
  TRY_ASSIGN(std::string text, format_number(call[0].as_double(), call[1].as_string(), call[2]));
  return Value::string(text);
}

constexpr Builtin kStrings[] = {
    {"string", string, "<x-b?:s>", 1, 2},
    {"length", length, "<s-:n>", 1, 1},
    {"substring", substring, "<s-nn?:s>", 3, 3},
    {"substringBefore", substring_before, "<s-s:s>", 2, 2},
    {"substringAfter", substring_after, "<s-s:s>", 2, 2},
    {"lowercase", apply_to_text<to_lower>, "<s-:s>", 1, 1},
    {"uppercase", apply_to_text<to_upper>, "<s-:s>", 1, 1},
    {"trim", apply_to_text<trimmed>, "<s-:s>", 1, 1},
    {"pad", pad, "<s-ns?:s>", 3, 3},
    {"join", join, "<a<s>s?:s>", 2, 2},
    {"base64encode", base64_encode, "<s-:s>", 1, 1},
    {"base64decode", base64_decode, "<s-:s>", 1, 1},
    {"encodeUrlComponent", encode_url<true>, "<s-:s>", 1, 1},
    {"encodeUrl", encode_url<false>, "<s-:s>", 1, 1},
    {"decodeUrlComponent", decode_url<true>, "<s-:s>", 1, 1},
    {"decodeUrl", decode_url<false>, "<s-:s>", 1, 1},
    {"formatNumber", format_number_call, "<n-so?:s>", 3, 3},
};

}  // namespace

std::span<const Builtin> string_builtins() { return kStrings; }

}  // namespace hearth::expression
