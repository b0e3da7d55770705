// RuntimeAliases: which runtime stands for which: "python3.13" → "python3.11".
//
// The configuration's aliases, and those that an operator adds while the daemon runs. The latter are durable (one
// record of the registry) before they are seen and win over a configured one of the same name. An alias leads to an
// installed runtime in one step: its target is never looked up again. At most kMaxAliases are added; names are 1 to 64
// of [a-z0-9._-]. Of two changes at the same time one is refused (Kind::conflict).
//
// Owned by the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/registry.h"

namespace hearth::api::admin {

class RuntimeAliases {
 public:
  static constexpr size_t kMaxAliases = 64;
  static constexpr size_t kMaxName = 64;
  using Map = std::map<std::string, std::string>;
  using ChangedFn = std::function<void(const Map&)>;

  // `changed` gets all aliases, once before load() answers and after each change.
  static boost::asio::awaitable<Result<std::unique_ptr<RuntimeAliases>>> load(store::Registry& registry, Map configured,
                                                                              ChangedFn changed);

  boost::asio::awaitable<Result<>> set(std::string name, std::string target);
  // Kind::not_found when there is none of that name; Kind::conflict when only the configuration has it.
  boost::asio::awaitable<Result<>> remove(std::string name);

  // The target of `name`, or `name` itself.
  std::string resolve(const std::string& name) const;
  Map all() const;
  bool is_configured(const std::string& name) const { return !added_.contains(name) && configured_.contains(name); }

 private:
  RuntimeAliases(store::Registry& registry, Map configured, ChangedFn changed);
  boost::asio::awaitable<Result<>> save(Map wanted);

  store::Registry& registry_;
  Map configured_;
  Map added_;
  int64_t version_ = 0;  // of the record; 0 = there is none
  ChangedFn changed_;
};

}  // namespace hearth::api::admin
