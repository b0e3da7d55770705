// Any text as an intrinsic call over a fixed input.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graph/expression/intrinsic.h"
#include "graph/expression/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::expression;
  static const Value kInput = *parse_json_value(R"({"a":[1,2,3,{"b":1.5}],"s":"a,b","n":7,"o":{"x":null}})");
  auto intrinsic = Intrinsic::compile({reinterpret_cast<const char*>(data), size});
  if (!intrinsic) return 0;
  auto value = intrinsic->evaluate({kInput, kInput, nullptr}, [] { return uint64_t{0x0123456789ABCDEF}; });
  if (value && !parse_json_value(to_json(*value))) __builtin_trap();
  return 0;
}
