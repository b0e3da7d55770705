// OverviewRoutes: what runs and how it went: status, config, pool, invocations, gateways.
#pragma once

#include "api/admin/dependencies.h"
#include "api/admin/router.h"

namespace hearth::api::admin {

class OverviewRoutes {
 public:
  static constexpr int64_t kMaxInvocations = 1000;  // in one answer

  // REQUIRES: `dependencies` outlives this.
  explicit OverviewRoutes(const Dependencies& dependencies);
  void add_to(Router& router);

 private:
  boost::asio::awaitable<Outcome> status(Request request);
  boost::asio::awaitable<Outcome> config(Request request);
  boost::asio::awaitable<Outcome> pool(Request request);
  boost::asio::awaitable<Outcome> invocations(Request request);
  boost::asio::awaitable<Outcome> gateways(Request request);

  const Dependencies& needs_;
  const WallTime started_;
};

// {"at","request_id","function","account","start","outcome","container","phases_ms":{PHASE:number}}; a phase that did
// not occur is left out.
json::object describe(const runtime::InvocationRecord& record);

}  // namespace hearth::api::admin
