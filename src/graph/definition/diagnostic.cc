#include "graph/definition/diagnostic.h"

namespace hearth::definition {

std::string invalid_definition_message(std::span<const Diagnostic> diagnostics) {
  std::string message = "Invalid State Machine Definition: '";
  bool first = true;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (diagnostic.severity != Severity::error) continue;
    if (!first) message += ", ";
    first = false;
    message += diagnostic.code;
    message += ": " + diagnostic.message + " at ";
    message += diagnostic.location.empty() ? "null" : diagnostic.location;
  }
  return message + "'";
}

}  // namespace hearth::definition
