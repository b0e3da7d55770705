// Definition: a state machine in the Amazon States Language, parsed and checked once, then shared by its executions.
//
// Every rule that is broken gives a Diagnostic with its place; a definition with an error is none. What is checked: the
// fields of each state type and query language, their types and ranges, paths, intrinsic calls and JSONata syntax,
// transitions (each target exists, each state is reached, the machine can end), names and labels.
// Limits: kMaxDefinitionBytes, kMaxMachineDepth, kMaxStates, kMaxNameCharacters, kMaxLabelCharacters, kMaxDiagnostics.
// Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/definition/diagnostic.h"
#include "graph/definition/states.h"

namespace hearth::definition {

inline constexpr size_t kMaxDefinitionBytes = 1 << 20;
inline constexpr size_t kMaxMachineDepth = 25;    // Parallel and Map within each other
inline constexpr size_t kMaxConditionDepth = 32;  // And, Or and Not within each other
inline constexpr size_t kMaxStates = 10'000;
inline constexpr size_t kMaxNameCharacters = 80;  // of states and variables
inline constexpr size_t kMaxLabelCharacters = 40;
inline constexpr size_t kMaxDiagnostics = 100;
inline constexpr int64_t kMaxSeconds = 99'999'999;  // of timeouts, heartbeats and waits

class Definition {
 public:
  struct Parsed {
    std::shared_ptr<const Definition> definition;  // nullptr when a diagnostic is an error
    std::vector<Diagnostic> diagnostics;
  };
  static Parsed parse(std::string_view text);

  const Machine& machine() const { return machine_; }
  std::optional<int64_t> timeout_s() const { return timeout_s_; }

 private:
  Definition() = default;

  Machine machine_;
  std::optional<int64_t> timeout_s_;
};

}  // namespace hearth::definition
