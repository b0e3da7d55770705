#include "graph/expression/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace hearth::expression {
namespace {

constexpr uint32_t kHeapLimitKib = 16 << 10;

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeMatchContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeCompileContext {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

std::string message_of(int code) {
  PCRE2_UCHAR buffer[160];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

struct Regex::Code {
  explicit Code(pcre2_code* compiled) : code(compiled) {}
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  pcre2_code* code;
};

Result<Regex> Regex::compile(std::string_view pattern, Flags flags) {
  if (pattern.size() > kMaxPatternBytes) return fail(Kind::invalid, "the pattern is too long");
  std::unique_ptr<pcre2_compile_context, FreeCompileContext> context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_ANYCRLF);
  pcre2_set_parens_nest_limit(context.get(), 100);
  uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF |
                     PCRE2_ALLOW_EMPTY_CLASS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
  if (flags.ignore_case) options |= PCRE2_CASELESS;
  if (flags.multiline) options |= PCRE2_MULTILINE;
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error,
                                   &offset, context.get());
  if (code == nullptr) return fail(Kind::invalid, message_of(error) + " at offset " + std::to_string(offset));
  return Regex(std::make_shared<const Code>(code));
}

Result<std::optional<Regex::Match>> Regex::find(std::string_view subject, size_t from, uint32_t max_steps) const {
  if (from > subject.size()) return std::nullopt;
  std::unique_ptr<pcre2_match_data, FreeMatchData> data(pcre2_match_data_create_from_pattern(code_->code, nullptr));
  std::unique_ptr<pcre2_match_context, FreeMatchContext> context(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(context.get(), max_steps);
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  int count = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), from, 0,
                          data.get(), context.get());
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0) return fail(Kind::exhausted, "regular expression: " + message_of(count));
  const PCRE2_SIZE* spans = pcre2_get_ovector_pointer(data.get());
  Match match{spans[0], spans[1], {}};
  uint32_t pairs = pcre2_get_ovector_count(data.get());
  for (uint32_t i = 1; i < pairs; ++i) {
    bool set = i < static_cast<uint32_t>(count) && spans[2 * i] != PCRE2_UNSET;
    if (set) {
      match.groups.emplace_back(subject.substr(spans[2 * i], spans[2 * i + 1] - spans[2 * i]));
    } else {
      match.groups.emplace_back(std::nullopt);
    }
  }
  if (match.end < match.begin) match.end = match.begin;  // \K in a lookahead
  return match;
}

}  // namespace hearth::expression
