// Regex: a JavaScript-like regular expression on PCRE2, compiled once, with bounded backtracking.
//
// JavaScript's syntax and PCRE2's agree on what expressions use; where they differ (docs/expressions.md) PCRE2 wins.
// Matching is over UTF-8 bytes. Any thread; a compiled expression is immutable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::expression {

class Regex {
 public:
  static constexpr size_t kMaxPatternBytes = 16 << 10;

  struct Flags {
    bool ignore_case = false;
    bool multiline = false;
  };

  struct Match {
    size_t begin = 0;
    size_t end = 0;
    std::vector<std::optional<std::string_view>> groups;  // views of the subject
  };

  // Kind::invalid with PCRE2's reason.
  static Result<Regex> compile(std::string_view pattern, Flags flags);

  // The first match at or after byte `from`. Kind::exhausted when `max_steps` of backtracking did not decide it.
  Result<std::optional<Match>> find(std::string_view subject, size_t from, uint32_t max_steps) const;

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  std::shared_ptr<const Code> code_;
};

}  // namespace hearth::expression
