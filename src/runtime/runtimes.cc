#include "runtime/runtimes.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/json.h"

namespace hearth::runtime {
namespace asio = boost::asio;
namespace {

constexpr std::string_view kPrefix = "runtime_alias/";

Result<std::string> target_of(const store::Record& record) {
  TRY_ASSIGN(const auto value, parse_json(record.value, 4096));
  TRY_ASSIGN(auto fields, FieldReader::of(value, record.key));
  return fields.text("target", Runtimes::kMaxName);
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= Runtimes::kMaxName && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  });
}

}  // namespace

// The registry outlives the catalogue.
// NOLINTNEXTLINE(*-reference-coroutine-parameters)
asio::awaitable<Result<std::unique_ptr<Runtimes>>> Runtimes::load(store::Registry& registry,
                                                                  std::map<std::string, std::string> configured) {
  auto aliases = configured;
  for (std::string after;;) {
    CO_TRY_ASSIGN(const auto records, co_await registry.list(std::string(kPrefix), after, kMaxAliases));
    for (const auto& record : records) {
      CO_TRY_ASSIGN(auto target, target_of(record));
      auto name = record.key.substr(kPrefix.size());
      if (target.empty()) {
        aliases.erase(name);
      } else {
        aliases[std::move(name)] = std::move(target);
      }
    }
    if (records.size() < kMaxAliases) break;
    after = records.back().key;
  }
  co_return std::unique_ptr<Runtimes>(new Runtimes(registry, std::move(configured), std::move(aliases)));
}

void Runtimes::set_available(std::vector<std::string> runtimes) {
  available_ = std::move(runtimes);
  known_ = true;
}

bool Runtimes::is_available(const std::string& name) const {
  return std::ranges::find(available_, name) != available_.end();
}

Result<std::string> Runtimes::resolve(const std::string& name) const {
  if (is_available(name)) return name;
  const auto alias = aliases_.find(name);
  if (alias != aliases_.end() && (!known_ || is_available(alias->second))) return alias->second;
  if (!known_) return name;
  return fail(Kind::invalid, "Runtime " + name + " is not installed here");
}

asio::awaitable<Result<>> Runtimes::set_alias(std::string name, std::string target) {
  if (!is_name(name) || !is_name(target)) co_return fail(Kind::invalid, "not the name of a runtime: " + name);
  if (known_ && !is_available(target)) co_return fail(Kind::invalid, "Runtime " + target + " is not installed here");
  if (aliases_.size() >= kMaxAliases && !aliases_.contains(name))
    co_return fail(Kind::exhausted, "too many runtime aliases");
  auto value = json::serialize(json::object{{"target", target}});
  CO_TRY(co_await registry_.put(std::string(kPrefix) + name, std::move(value), std::nullopt));
  aliases_[std::move(name)] = std::move(target);
  co_return Result<>{};
}

asio::awaitable<Result<>> Runtimes::remove_alias(std::string name) {
  if (!aliases_.contains(name)) co_return fail(Kind::not_found, "no alias for runtime " + name);
  if (configured_.contains(name)) {  // the record says that it is not wanted
    auto value = json::serialize(json::object{{"target", ""}});
    CO_TRY(co_await registry_.put(std::string(kPrefix) + name, std::move(value), std::nullopt));
  } else {
    CO_TRY(co_await registry_.remove(std::string(kPrefix) + name, std::nullopt));
  }
  aliases_.erase(name);
  co_return Result<>{};
}

}  // namespace hearth::runtime
