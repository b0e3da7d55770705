// What Hearth's own API needs of the rest of the daemon, handed over by its main.
//
// References must outlive the AdminService. All functions run on the loop's thread and answer at once unless they are
// coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "api/accounts.h"
#include "api/admin/runtime_aliases.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "runtime/functions.h"
#include "runtime/invoker.h"
#include "vpc/networks.h"

namespace hearth::api::admin {

struct LogPage {
  std::vector<std::string> lines;  // oldest first
  std::string next;                // what `after` must be to go on behind the last line
};
// Lines of the function's log: those behind the place `after` when it is not empty, else the last `limit` ones. At most
// `limit`. Kind::invalid when `after` is no place this function gave.
using ReadLogFn =
    std::function<boost::asio::awaitable<Result<LogPage>>(runtime::FunctionKey key, std::string after, size_t limit)>;

struct WardenState {
  bool connected = false;
  std::vector<std::string> runtimes;  // what the host can run
  std::string cgroup;                 // "v1" or "v2"
};

struct Dependencies {
  const Config& config;
  const Clock& clock;
  runtime::Functions& functions;
  runtime::Invoker& invoker;
  vpc::Networks& networks;
  RuntimeAliases& aliases;
  Accounts& accounts;
  ReadLogFn read_log;
  std::function<WardenState()> warden;
  // {"attachments":{NAME:{counter:number}},"gateway":{counter:number}}, as the warden's gateway_stats says.
  std::function<boost::asio::awaitable<Result<json::object>>()> gateway_counters;
};

}  // namespace hearth::api::admin
