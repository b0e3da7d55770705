// Intrinsic: a call of one of the 18 intrinsic functions of the Amazon States Language, `States.Format('{}', $.a)`,
// parsed once. https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
//
// Arguments are paths, numbers, text in single quotes (with \' \{ \} \\ as its only escapes), true, false, null and
// further calls, at most kMaxIntrinsicNesting deep. Where whole numbers are wanted fractions are cut off, as Step
// Functions does. Immutable and cheap to copy; any thread; randomness is handed in.
//
// Errors: compile: Kind::invalid with the position. evaluate: Kind::not_found when a path finds nothing
// ("The function '…' had the following error: The JsonPath argument for the field '$.a' could not be found in the
// input '…'"), Kind::invalid for arguments that don't fit ("Invalid arguments in States.MathAdd"), Kind::exhausted.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "graph/expression/path.h"
#include "graph/expression/value.h"

namespace hearth::expression {

inline constexpr size_t kMaxIntrinsicBytes = 64 << 10;
inline constexpr size_t kMaxIntrinsicNesting = 10;
inline constexpr size_t kMaxIntrinsicArguments = 256;
inline constexpr size_t kMaxIntrinsicText = 10'000;      // characters that Hash and Base64… take
inline constexpr size_t kMaxIntrinsicRange = 1000;       // items that ArrayRange makes
inline constexpr size_t kMaxIntrinsicResult = 16 << 20;  // bytes that nested calls may build

struct IntrinsicCall;

class Intrinsic {
 public:
  using Random = std::function<uint64_t()>;  // 64 uniform bits

  // Whether `text` looks like a call, so that it is an intrinsic and not a path.
  static bool is_call(std::string_view text) { return text.starts_with("States."); }
  static Result<Intrinsic> compile(std::string_view text);

  Result<Value> evaluate(const PathScope& scope, const Random& random) const;

  const std::string& text() const;

 private:
  explicit Intrinsic(std::shared_ptr<const IntrinsicCall> call) : call_(std::move(call)) {}

  std::shared_ptr<const IntrinsicCall> call_;
};

}  // namespace hearth::expression
