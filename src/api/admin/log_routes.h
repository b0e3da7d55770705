// LogRoutes: a function's log, also as it grows.
//
// GET logs/{account}/{function}?tail=N answers {"lines":[{"at","request_id","stream","text"}]}, the last ones. With
// follow=true also "next"; the same with after=NEXT answers what came since (and "dropped", when it was too much), and
// with wait_ms=MS it waits so long for the first line. A function that was deleted keeps its log.
#pragma once

#include "api/admin/dependencies.h"
#include "api/admin/log_follows.h"
#include "api/admin/router.h"

namespace hearth::api::admin {

class LogRoutes {
 public:
  static constexpr int64_t kMaxLines = static_cast<int64_t>(runtime::Logs::kMaxTail);  // in one answer
  static constexpr int64_t kMaxWaitMs = 20'000;

  // REQUIRES: `dependencies` outlives this.
  explicit LogRoutes(const Dependencies& dependencies)
      : needs_(dependencies), follows_(dependencies.logs, dependencies.clock) {}
  void add_to(Router& router);

 private:
  boost::asio::awaitable<Outcome> read(Request request);
  boost::asio::awaitable<Outcome> go_on(runtime::FunctionKey key, std::string after, int64_t wait_ms);

  const Dependencies& needs_;
  LogFollows follows_;
};

}  // namespace hearth::api::admin
