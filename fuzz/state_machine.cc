// Any text as a definition of a state machine: it must parse, or be refused with at least one error that has a code.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graph/definition/definition.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::definition;
  Definition::Parsed parsed = Definition::parse({reinterpret_cast<const char*>(data), size});
  bool refused = false;
  for (const Diagnostic& diagnostic : parsed.diagnostics) {
    if (diagnostic.code.empty() || diagnostic.message.empty()) __builtin_trap();
    refused = refused || diagnostic.severity == Severity::error;
  }
  if (refused != (parsed.definition == nullptr)) __builtin_trap();
  return 0;
}
