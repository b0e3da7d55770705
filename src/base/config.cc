#include "base/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "base/config_keys.h"

namespace hearth {
namespace {

using config::Key;

constexpr std::string_view kDefaultFile = "/etc/hearth/hearth.toml";
constexpr std::string_view kPrefix = "HEARTH_";
// Variables of the tools around Hearth, which no key has.
constexpr std::string_view kNotKeys[] = {"HEARTH_CONFIG", "HEARTH_BUILD", "HEARTH_DATA"};

using Environment = std::map<std::string, std::string, std::less<>>;

Environment parse_environment(const std::vector<std::string>& lines) {
  Environment environment;
  for (const auto& line : lines) {
    size_t equals = line.find('=');
    if (equals != line.npos) environment.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return environment;
}

std::optional<std::string> value_of(const Environment& environment, std::string_view name) {
  auto entry = environment.find(name);
  if (entry == environment.end() || entry->second.empty()) return std::nullopt;
  return entry->second;
}

// "HEARTH_POOL_" for every section that has keys.
std::set<std::string> section_prefixes() {
  std::set<std::string> prefixes;
  for (const Key& key : config::keys()) {
    size_t dot = key.name.find('.');
    if (dot != key.name.npos) prefixes.insert(config::environment_name(key.name.substr(0, dot)) + "_");
  }
  return prefixes;
}

Result<> refuse_unknown_variables(const Environment& environment) {
  std::set<std::string> known;
  for (const Key& key : config::keys()) known.insert(config::environment_name(key.name));
  std::set<std::string> sections = section_prefixes();
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(kPrefix) || known.contains(name) || std::ranges::find(kNotKeys, name) != std::end(kNotKeys)) {
      continue;
    }
    if (std::ranges::any_of(sections, [&](const auto& section) { return name.starts_with(section); })) {
      auto nearest = std::ranges::min_element(config::keys(), {}, [&, asked = name](const Key& key) {
        return config::edit_distance(asked, config::environment_name(key.name));
      });
      return fail(Kind::invalid, fmt::format("environment: {} is not known; did you mean {}?", name,
                                             config::environment_name(nearest->name)));
    }
  }
  return {};
}

Result<> put(Config& config, const Key& key, const Result<config::Value>& value, std::string_view origin,
             const std::string& named) {
  auto assigned = value ? config::assign(config, key, *value) : Result<>(std::unexpected(value.error()));
  if (!assigned) return fail(Kind::invalid, fmt::format("{} = {}", named, assigned.error().message));
  config.origin[std::string(key.name)] = origin;
  return {};
}

Result<> apply_file(Config& config, const std::string& path) {
  TRY_ASSIGN(auto values, config::read_file(path));
  for (const auto& [name, value] : values) {
    const Key* key = config::find_key(name);
    if (key == nullptr) {
      return fail(Kind::invalid,
                  fmt::format("{}: {} is not a known key; did you mean {}?", path, name, config::nearest_key(name)));
    }
    TRY(put(config, *key, value, "file", path + ": " + name));
  }
  return {};
}

Result<> apply_environment(Config& config, const Environment& environment) {
  TRY(refuse_unknown_variables(environment));
  for (const Key& key : config::keys()) {
    std::string name = config::environment_name(key.name);
    auto entry = environment.find(name);
    if (entry != environment.end()) TRY(put(config, key, config::from_text(key, entry->second), "environment", name));
  }
  return {};
}

// `path`, HEARTH_CONFIG, or the default place if a file is there; "" = none.
std::string file_to_load(const std::string& path, const Environment& environment) {
  if (!path.empty()) return path;
  if (auto named = value_of(environment, "HEARTH_CONFIG")) return *named;
  std::error_code ignored;  // a folder that can't be looked into holds no file for us
  return std::filesystem::exists(kDefaultFile, ignored) ? std::string(kDefaultFile) : "";
}

Result<> fill_places(Config& config, const Environment& environment) {
  if (config.run_dir.empty()) config.run_dir = "/run/" + config.instance;
  if (!config.state.empty()) return {};
  if (geteuid() == 0) {
    config.state = "/var/lib/hearth";
    return {};
  }
  auto home = value_of(environment, "HOME");
  if (!home || home->front() != '/') return fail(Kind::invalid, "state: HOME is not set; set HEARTH_STATE");
  config.state = *home + "/.local/share/hearth";
  return {};
}

// What no single row can say.
Result<> check_together(const Config& config) {
  if (config.pool_min > config.pool_max) {
    return fail(Kind::invalid,
                fmt::format("pool.min = {}: must be at most pool.max, {}", config.pool_min, config.pool_max));
  }
  if (config.unreserved_minimum > config.concurrency) {
    return fail(Kind::invalid, fmt::format("limits.unreserved_minimum = {}: must be at most limits.concurrency, {}",
                                           config.unreserved_minimum, config.concurrency));
  }
  if (config::is_loopback(config.listen)) return {};
  std::string_view refused = config.testing_reset            ? "testing.reset = true"
                             : config.testing_auth == "open" ? "testing.auth = open"
                                                             : "";
  if (refused.empty()) return {};
  return fail(Kind::invalid,
              fmt::format("{}: only allowed on a loopback listener; server.listen is {}", refused, config.listen));
}

}  // namespace

Result<Config> Config::load(const std::string& path, const std::vector<std::string>& environment) {
  Environment variables = parse_environment(environment);
  Config config;
  for (const Key& key : config::keys()) config.origin[std::string(key.name)] = "default";
  std::string file = file_to_load(path, variables);
  if (!file.empty()) TRY(apply_file(config, file));
  TRY(apply_environment(config, variables));
  TRY(fill_places(config, variables));
  TRY(check_together(config));
  return config;
}

std::vector<Config::Item> Config::items() const {
  std::vector<Item> items;
  for (const Key& key : config::keys()) {
    std::string name(key.name);
    auto from = origin.find(name);
    items.push_back({name, config::print(*this, key), from == origin.end() ? "default" : from->second,
                     config::environment_name(name), config::accepts(key), std::string(key.meaning)});
  }
  return items;
}

std::vector<std::string> process_environment() {
  std::vector<std::string> lines;
  for (char** line = environ; *line != nullptr; ++line) lines.emplace_back(*line);
  return lines;
}

}  // namespace hearth
