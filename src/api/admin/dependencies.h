// What Hearth's own API needs of the rest of the daemon, handed over by its main.
//
// References must outlive the AdminService. Everything runs on the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "api/accounts.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "runtime/functions.h"
#include "runtime/invoker.h"
#include "runtime/logs.h"
#include "runtime/runtimes.h"
#include "vpc/networks.h"

namespace hearth::api::admin {

struct WardenState {
  bool connected = false;
  std::string cgroup;  // "v1" or "v2"; "" before the first connection
};

struct Dependencies {
  const Config& config;
  const Clock& clock;
  runtime::Functions& functions;
  runtime::Invoker& invoker;
  vpc::Networks& networks;
  runtime::Runtimes& runtimes;
  Accounts& accounts;
  runtime::Logs& logs;
  std::function<WardenState()> warden;
  // {"attachments":{NAME:{counter:number}},"gateway":{counter:number}}, as the warden's gateway_stats says.
  std::function<boost::asio::awaitable<Result<json::object>>()> gateway_counters;
};

}  // namespace hearth::api::admin
