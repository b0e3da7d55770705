// Diagnostic: what ValidateStateMachineDefinition says of one place of a definition.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
//
// An error refuses the definition; a warning does not. The location is a JSON path as the service writes it:
// "/States/Name/Choices[0]/Next"; empty where a rule is of the whole machine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hearth::definition {

enum class Severity : uint8_t { error, warning };

// Codes as AWS lists them.
inline constexpr std::string_view kInvalidJson = "INVALID_JSON_DESCRIPTION";
inline constexpr std::string_view kMissingDescription = "MISSING_DESCRIPTION";
inline constexpr std::string_view kSchema = "SCHEMA_VALIDATION_FAILED";
inline constexpr std::string_view kInvalidResource = "INVALID_RESOURCE";
inline constexpr std::string_view kMissingEndState = "MISSING_END_STATE";
inline constexpr std::string_view kDuplicateStateName = "DUPLICATE_STATE_NAME";
inline constexpr std::string_view kInvalidStateName = "INVALID_STATE_NAME";
inline constexpr std::string_view kDuplicateLabel = "DUPLICATE_LABEL_NAME";
inline constexpr std::string_view kInvalidLabel = "INVALID_LABEL_NAME";
inline constexpr std::string_view kMissingTarget = "MISSING_TRANSITION_TARGET";
inline constexpr std::string_view kTooDeeplyNested = "TOO_DEEPLY_NESTED";
inline constexpr std::string_view kNoDollar = "NO_DOLLAR";
inline constexpr std::string_view kPassResultIsStatic = "PASS_RESULT_IS_STATIC";

struct Diagnostic {
  Severity severity = Severity::error;
  std::string_view code;  // one of the above
  std::string message;
  std::string location;
};

// The message of InvalidDefinition: "Invalid State Machine Definition: 'CODE: message at location, …'", errors only.
std::string invalid_definition_message(std::span<const Diagnostic> diagnostics);

}  // namespace hearth::definition
