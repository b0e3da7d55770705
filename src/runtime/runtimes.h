// Runtimes: which runtimes functions may ask for, and what runs them here.
//
// A runtime is run by itself when the host has it (the warden says so), else by what an alias names. Aliases are the
// operator's: from the configuration, and set while running (kept in the registry; those win). An alias's target is no
// alias itself.
//
// Owned by the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/registry.h"

namespace hearth::runtime {

class Runtimes {
 public:
  static constexpr size_t kMaxAliases = 256;
  static constexpr size_t kMaxName = 64;

  // Loads the aliases that were set while running. REQUIRES: `registry` outlives it.
  static boost::asio::awaitable<Result<std::unique_ptr<Runtimes>>> load(store::Registry& registry,
                                                                        std::map<std::string, std::string> configured);

  // What the host has; told by the warden's hello. Until then nothing is refused.
  void set_available(std::vector<std::string> runtimes);
  const std::vector<std::string>& available() const { return available_; }

  // The runtime that runs functions which ask for `name`. Kind::invalid "Runtime python3.13 is not installed here".
  Result<std::string> resolve(const std::string& name) const;

  const std::map<std::string, std::string>& aliases() const { return aliases_; }
  // Durable when they answer. An alias for what is not installed is Kind::invalid; removing what is not there
  // not_found.
  boost::asio::awaitable<Result<>> set_alias(std::string name, std::string target);
  boost::asio::awaitable<Result<>> remove_alias(std::string name);

 private:
  Runtimes(store::Registry& registry, std::map<std::string, std::string> configured,
           std::map<std::string, std::string> aliases)
      : registry_(registry), configured_(std::move(configured)), aliases_(std::move(aliases)) {}
  bool is_available(const std::string& name) const;

  store::Registry& registry_;
  const std::map<std::string, std::string> configured_;
  std::map<std::string, std::string> aliases_;
  std::vector<std::string> available_;
  bool known_ = false;
};

}  // namespace hearth::runtime
