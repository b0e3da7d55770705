// Where the tests of this folder find recorded data: $HEARTH_DATA, else ../shared/data beside the project.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "graph/expression/json_text.h"

namespace hearth::expression::testing {

// The parsed file, or none when the data is not on this machine.
inline std::optional<Value> load_data(const std::string& name) {
  const char* given = std::getenv("HEARTH_DATA");
  std::filesystem::path source = __FILE__;
  std::filesystem::path root = source.parent_path().parent_path().parent_path().parent_path();
  std::filesystem::path folder = given != nullptr ? std::filesystem::path(given) : root / "../shared/data";
  std::ifstream file(folder / name);
  if (!file) return std::nullopt;
  std::stringstream text;
  text << file.rdbuf();
  auto value = parse_json_value(text.str());
  if (!value) return std::nullopt;
  return *std::move(value);
}

inline Value json(std::string_view text) {
  auto value = parse_json_value(text);
  return value ? *std::move(value) : Value::string("unparsable: " + std::string(text));
}

}  // namespace hearth::expression::testing
