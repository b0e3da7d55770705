// Every definition that the service was given in ../shared/data/asl: what it took must parse, what it refused must be
// refused at the same place by the same rule.
#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "graph/definition/definition.h"
#include "graph/expression/test_data.h"

namespace hearth::definition {
namespace {

using expression::Value;

// The recorded message of InvalidDefinition; empty when the service took the definition.
std::string refusal_of(const Value& test) {
  for (const expression::Member& reply : test.find("expected")->members()) {
    const Value* error = reply.value.find("Error");
    if (error != nullptr && error->find("Code")->as_string() == "InvalidDefinition")
      return std::string(error->find("Message")->as_string());
    const Value* raised = reply.value.find("exception_typename");
    if (raised != nullptr && raised->as_string() == "InvalidDefinition")
      return std::string(reply.value.find("exception_value")->as_string());
  }
  return {};
}

// The service's own words, or the rule that a recording quotes in words of another tool.
bool explains(const std::string& refusal, const std::vector<Diagnostic>& diagnostics) {
  if (refusal.ends_with(invalid_definition_message(diagnostics))) return true;
  std::string rule = diagnostics.empty() ? "" : diagnostics[0].message;
  bool quoted = refusal.contains("Args=[\"" + rule + "\"]") || refusal.contains("Args=['" + rule + "']");
  // Control characters are quoted twice there.
  size_t escape = rule.find('\\');
  if (escape != std::string::npos) rule.insert(escape, "\\");
  return quoted || refusal.contains("Args=[\"" + rule + "\"]");
}

TEST(Recorded, DefinitionsThatTheServiceJudged) {
  size_t taken = 0;
  size_t refused = 0;
  for (const char* name : {"asl/executions.json", "asl/api.json"}) {
    auto data = expression::testing::load_data(name);
    if (!data) GTEST_SKIP() << name << " is not on this machine (see HEARTH_DATA)";
    for (const Value& test : data->items()) {
      std::string refusal = refusal_of(test);
      for (const Value& step : test.find("steps")->items()) {
        if (step.items()[0].as_string() != "create") continue;
        Definition::Parsed parsed = Definition::parse(step.items()[2].as_string());
        std::string_view id = test.find("id")->as_string();
        if (refusal.empty()) {
          EXPECT_NE(parsed.definition, nullptr) << id << "\n  " << invalid_definition_message(parsed.diagnostics);
        } else {
          EXPECT_EQ(parsed.definition, nullptr) << id << "\n  wanted " << refusal;
          EXPECT_TRUE(explains(refusal, parsed.diagnostics))
              << id << "\n  wanted " << refusal << "\n  got " << invalid_definition_message(parsed.diagnostics);
        }
        ++(refusal.empty() ? taken : refused);
      }
    }
  }
  std::cout << "asl: " << taken << " recorded definitions taken, " << refused << " refused\n";
  EXPECT_GE(taken, 600U);
  EXPECT_GE(refused, 57U);
}

}  // namespace
}  // namespace hearth::definition
