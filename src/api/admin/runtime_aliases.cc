#include "api/admin/runtime_aliases.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/json.h"

namespace hearth::api::admin {
namespace {

constexpr const char* kRecord = "admin/runtime_aliases";

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= RuntimeAliases::kMaxName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

Result<> check_name(std::string_view field, const std::string& name) {
  if (is_name(name)) return {};
  return fail(Kind::invalid,
              fmt::format("{} must be 1 to {} of a-z, 0-9, '.', '_' and '-'", field, RuntimeAliases::kMaxName));
}

Result<RuntimeAliases::Map> decode(const std::string& text) {
  TRY_ASSIGN(json::value value, parse_json(text, store::Registry::kMaxValue));
  if (!value.is_object()) return fail(Kind::internal, "the record of runtime aliases is not an object");
  RuntimeAliases::Map map;
  for (const auto& [name, target] : value.get_object()) {
    if (!target.is_string()) return fail(Kind::internal, "the record of runtime aliases holds no text");
    map.emplace(std::string(name), std::string(target.get_string()));
  }
  return map;
}

}  // namespace

RuntimeAliases::RuntimeAliases(store::Registry& registry, Map configured, ChangedFn changed)
    : registry_(registry), configured_(std::move(configured)), changed_(std::move(changed)) {}

boost::asio::awaitable<Result<std::unique_ptr<RuntimeAliases>>> RuntimeAliases::load(store::Registry& registry,
                                                                                     Map configured,
                                                                                     ChangedFn changed) {
  std::unique_ptr<RuntimeAliases> aliases(new RuntimeAliases(registry, std::move(configured), std::move(changed)));
  auto record = co_await registry.get(kRecord);
  if (record) {
    CO_TRY_ASSIGN(aliases->added_, decode(record->value));
    aliases->version_ = record->version;
  } else if (record.error().kind != Kind::not_found) {
    co_return std::unexpected(std::move(record).error());
  }
  if (aliases->changed_) aliases->changed_(aliases->all());
  co_return aliases;
}

boost::asio::awaitable<Result<>> RuntimeAliases::set(std::string name, std::string target) {
  CO_TRY(check_name("alias", name));
  CO_TRY(check_name("target", target));
  if (name == target) co_return fail(Kind::invalid, fmt::format("target must be another runtime than {}", name));
  Map wanted = added_;
  wanted[name] = target;
  if (wanted.size() > kMaxAliases) {
    co_return fail(Kind::exhausted, fmt::format("there are {} runtime aliases, the most allowed", kMaxAliases));
  }
  co_return co_await save(std::move(wanted));
}

boost::asio::awaitable<Result<>> RuntimeAliases::remove(std::string name) {
  Map wanted = added_;
  if (wanted.erase(name) == 0) {
    if (!configured_.contains(name)) co_return fail(Kind::not_found, fmt::format("{} is no alias", name));
    co_return fail(Kind::conflict,
                   fmt::format("{} is an alias of the configuration (runtime.alias); remove it there", name));
  }
  co_return co_await save(std::move(wanted));
}

boost::asio::awaitable<Result<>> RuntimeAliases::save(Map wanted) {
  json::object record;
  for (const auto& [name, target] : wanted) record[name] = target;
  auto version = co_await registry_.put(kRecord, json::serialize(record), version_);
  if (!version) co_return std::unexpected(std::move(version).error());
  version_ = *version;
  added_ = std::move(wanted);
  if (changed_) changed_(all());
  co_return Result<>();
}

std::string RuntimeAliases::resolve(const std::string& name) const {
  if (auto alias = added_.find(name); alias != added_.end()) return alias->second;
  if (auto alias = configured_.find(name); alias != configured_.end()) return alias->second;
  return name;
}

RuntimeAliases::Map RuntimeAliases::all() const {
  Map map = added_;
  map.insert(configured_.begin(), configured_.end());
  return map;
}

}  // namespace hearth::api::admin
