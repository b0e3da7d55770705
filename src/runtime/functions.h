// Functions: the catalogue of functions, its life-cycle rules, and their durable records.
//
// Memory holds all records (loaded at start, at most kMaxFunctions an account); every change is in the registry before
// it is seen. Life: create → Pending → (package there, network proven) → Active or Failed; update → LastUpdateStatus
// InProgress with the old code still serving → Successful or Failed. A change while InProgress or Pending is
// Kind::conflict. RevisionId changes on create, on activation, and at the start and the end of every update. An update
// that fails leaves what was in force there, LastUpdateStatus Failed. A restart takes up what was Pending or
// InProgress. A record that it can't read is logged and left alone: its function is not served, its name stays taken.
//
// Refuses: a name that is taken, a change under way (Kind::conflict), another revision (denied), no such function
// (not_found), over kMaxFunctions (exhausted), a record that could not be read again (invalid); what the registry
// refuses comes back as it is, and nothing is changed.
//
// Owned by the loop's thread. A pointer that find(), shown() or list() answered holds until the next co_await.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_group.h"
#include "runtime/function.h"
#include "runtime/packages.h"
#include "store/registry.h"

namespace hearth::runtime {

// What must stand before a function is Active: its network, proven by a packet. Handed over by main (vpc plugs in).
using PrepareNetworkFn = std::function<boost::asio::awaitable<Result<>>(Function)>;

class Functions {
 public:
  static constexpr size_t kMaxFunctions = 10'000;  // an account
  // Packages that no function names are removed at start and this often; one stays for at least this long after it went
  // out of use, since instances may still be answering with it (Lambda's longest timeout is half of this).
  static constexpr std::chrono::minutes kCollectEvery{30};

  struct Hooks {
    PrepareNetworkFn prepare_network;                 // tried again for a while after Kind::unavailable
    std::function<void(const Function&)> on_changed;  // code or configuration now in force; instances are replaced
    std::function<void(const FunctionKey&)> on_deleted;
  };

  static boost::asio::awaitable<Result<std::unique_ptr<Functions>>> load(store::Registry& registry, Packages& packages,
                                                                         const Clock& clock, TaskGroup& tasks,
                                                                         Hooks hooks);
  // REQUIRES of load: all that it was given outlives it; `tasks` is stopped and joined before it ends.
  virtual ~Functions() = default;

  // The record in force (what an invocation uses), nullptr when there is none. Its state may be Pending or Failed.
  virtual const Function* find(const FunctionKey& key) const = 0;
  // What Get… shows: during an update, the configuration asked for with LastUpdateStatus InProgress.
  virtual const Function* shown(const FunctionKey& key) const = 0;
  // Functions of the account in name order, after `after`, at most `limit`.
  virtual std::vector<const Function*> list(const AccountId& account, const std::string& after, size_t limit) const = 0;
  virtual size_t count(const AccountId& account) const = 0;
  virtual int64_t code_bytes(const AccountId& account) const = 0;

  // `function` as the client wants it, with package and code fields set; conflict when the name is taken.
  virtual boost::asio::awaitable<Result<Function>> create(Function function) = 0;
  // Applies `change` to a copy of the shown record and takes it through the update life-cycle. `revision`: what the
  // client expects, "" = any; another one is Kind::denied.
  virtual boost::asio::awaitable<Result<Function>> update(FunctionKey key, std::string revision,
                                                          std::function<Result<>(Function&)> change) = 0;
  // Changes that need no life-cycle: tags, reserved concurrency. RevisionId changes only for concurrency.
  virtual boost::asio::awaitable<Result<Function>> annotate(FunctionKey key,
                                                            std::function<Result<>(Function&)> change) = 0;
  virtual boost::asio::awaitable<Result<>> remove(FunctionKey key) = 0;
  // All functions of the account (testing.reset).
  virtual boost::asio::awaitable<Result<>> remove_all(AccountId account) = 0;
};

// Of all functions of the account but `except`.
int64_t reserved_concurrency(const Functions& functions, const AccountId& account, std::string_view except = "");

}  // namespace hearth::runtime
