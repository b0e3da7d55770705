#include <fmt/format.h>
#include <toml++/toml.h>

#include <fstream>
#include <sstream>

#include "base/config_keys.h"

namespace hearth::config {
namespace {

constexpr size_t kMaxDepth = 4;

Failure refuse(const std::string& name, std::string_view reason) {
  return fail(Kind::invalid, fmt::format("{}: {}", name, reason));
}

Result<Map> map_of(const toml::table& table, const std::string& name) {
  Map map;
  for (const auto& [key, node] : table) {
    auto text = node.value_exact<std::string>();
    if (!text) return refuse(name, fmt::format("{} must be a string", key.str()));
    map.emplace(std::string(key.str()), *text);
  }
  return map;
}

Result<Texts> texts_of(const toml::array& array, const std::string& name) {
  Texts texts;
  for (const auto& node : array) {
    auto text = node.value_exact<std::string>();
    if (!text) return refuse(name, "must be a list of strings");
    texts.push_back(*text);
  }
  return texts;
}

Result<Value> leaf(const toml::node& node, const std::string& name) {
  if (auto text = node.value_exact<std::string>()) return *text;
  if (auto number = node.value_exact<int64_t>()) return *number;
  if (auto flag = node.value_exact<bool>()) return *flag;
  if (auto* array = node.as_array()) {
    TRY_ASSIGN(Texts texts, texts_of(*array, name));
    return texts;
  }
  return refuse(name, "must be a string, an integer, true or false, a list or a table");
}

Result<> flatten(const toml::table& table, const std::string& prefix, size_t depth, Values& values) {
  if (depth > kMaxDepth) return refuse(prefix, fmt::format("is over {} levels deep", kMaxDepth));
  for (const auto& [key, node] : table) {
    std::string name = prefix.empty() ? std::string(key.str()) : prefix + "." + std::string(key.str());
    const toml::table* below = node.as_table();
    if (below == nullptr) {
      TRY_ASSIGN(Value value, leaf(node, name));
      values.emplace_back(name, std::move(value));
    } else if (find_key(name) != nullptr) {
      TRY_ASSIGN(Map map, map_of(*below, name));
      values.emplace_back(name, std::move(map));
    } else {
      TRY(flatten(*below, name, depth + 1, values));
    }
  }
  return {};
}

Result<std::string> read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail_errno("open " + path);
  std::string text(Config::kMaxFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail_errno("read " + path);
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > Config::kMaxFileBytes) {
    return fail(Kind::invalid, fmt::format("{}: is over {} bytes", path, Config::kMaxFileBytes));
  }
  return text;
}

}  // namespace

Result<Values> read_file(const std::string& path) {
  TRY_ASSIGN(std::string text, read_all(path));
  Values values;
  try {
    toml::table table = toml::parse(text, path);
    auto flat = flatten(table, "", 1, values);
    if (!flat) return fail(flat.error().kind, path + ": " + flat.error().message);
  } catch (const toml::parse_error& error) {
    return fail(Kind::invalid, fmt::format("{}: line {}: {}", path, error.source().begin.line, error.description()));
  }
  return values;
}

}  // namespace hearth::config
