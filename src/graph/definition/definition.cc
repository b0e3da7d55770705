#include "graph/definition/definition.h"

#include "graph/definition/fields.h"
#include "graph/definition/machine_parser.h"
#include "graph/expression/json_text.h"

namespace hearth::definition {

using expression::Value;

const State* Machine::find(std::string_view name) const {
  for (const State& state : states) {
    if (state.name == name) return &state;
  }
  return nullptr;
}

namespace {

Language read_machine_language(const Fields& fields) {
  auto text = fields.text("QueryLanguage");
  if (!text || *text == "JSONPath") return Language::jsonpath;
  if (*text != "JSONata") fields.error("QueryLanguage", "Value must be one of [JSONPath, JSONata]");
  return Language::jsonata;
}

}  // namespace

Definition::Parsed Definition::parse(std::string_view text) {
  Findings findings;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    findings.error(kMissingDescription, {}, "Received a null or empty workflow input");
    return {nullptr, findings.take()};
  }
  auto value = expression::parse_json_value(text, kMaxDefinitionBytes);
  if (!value) {
    findings.error(kInvalidJson, {}, value.error().message);
    return {nullptr, findings.take()};
  }
  if (!value->is_object()) {
    findings.error(kInvalidJson, {}, "Expected value of type Object");
    return {nullptr, findings.take()};
  }
  Fields fields(findings, *value, {});
  fields.allow_only({"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"});
  fields.text("Comment");
  if (auto version = fields.text("Version"); version && *version != "1.0")
    fields.error("Version", "Value must be one of [1.0]");
  std::shared_ptr<Definition> made(new Definition());
  made->timeout_s_ = fields.integer("TimeoutSeconds", 1, kMaxSeconds);
  made->machine_ = MachineParser(findings, read_machine_language(fields)).parse(fields, 0);
  if (findings.has_errors()) made.reset();
  return {std::move(made), findings.take()};
}

}  // namespace hearth::definition
