// Any text as an entry of an execution's journal: what is taken must come back the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graph/engine/event.h"
#include "graph/expression/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::engine;
  auto event = decode({reinterpret_cast<const char*>(data), size});
  if (!event) return 0;
  auto back = decode(encode(*event));
  if (!back || encode(*back) != encode(*event)) __builtin_trap();
  if (!hearth::expression::parse_json_value(to_json(to_history(*event)))) __builtin_trap();
  return 0;
}
