// LogRoutes: a function's log, also as it grows.
//
// GET logs/{account}/{function}?tail=N answers the last lines and `next`; the same with after=NEXT those behind them,
// and with wait_ms=MS it waits so long for the first (long poll). A function that was deleted keeps its log.
#pragma once

#include <chrono>

#include "api/admin/dependencies.h"
#include "api/admin/router.h"

namespace hearth::api::admin {

class LogRoutes {
 public:
  static constexpr int64_t kMaxLines = 10'000;  // in one answer
  static constexpr int64_t kMaxWaitMs = 20'000;
  static constexpr std::chrono::milliseconds kLookAgain{200};

  // REQUIRES: `dependencies` outlives this.
  explicit LogRoutes(const Dependencies& dependencies) : needs_(dependencies) {}
  void add_to(Router& router);

 private:
  boost::asio::awaitable<Outcome> read(Request request);

  const Dependencies& needs_;
};

}  // namespace hearth::api::admin
