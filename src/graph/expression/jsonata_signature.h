// Signature: what arguments a function takes (`<s-n?:s>`), checked and completed before the call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/expression/fault.h"
#include "graph/expression/value.h"

namespace hearth::expression {

class Signature {
 public:
  // Text from `<` to `>`; S0401, S0402 when it asks for what signatures cannot say.
  static Eval<Signature> parse(std::string_view text);

  // The arguments as the function sees them: the context in the place of a missing first argument, a lone value
  // wrapped where an array is wanted. T0410, T0411, T0412 when they don't fit.
  Eval<std::vector<Value>> validate(std::vector<Value> arguments, const Value& context) const;

 private:
  enum class Count : uint8_t { one, optional, many };
  struct Param {
    uint32_t accepts = 0;  // a bit a type letter
    char type = 0;
    Count count = Count::one;
    bool from_context = false;
    std::string item_type;
  };

  bool match(std::string_view types, size_t param, size_t at, bool to_end, std::vector<size_t>& lengths,
             size_t params) const;
  std::unexpected<FaultPtr> refuse(std::string_view types, const std::vector<Value>& arguments) const;
  static Eval<Value> fit_array(const Param& param, char type, std::string_view matched, Value argument, size_t index);

  std::vector<Param> params_;
};

}  // namespace hearth::expression
