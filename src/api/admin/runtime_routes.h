// RuntimeRoutes: the runtimes that functions may ask for, and the aliases among them.
#pragma once

#include "api/admin/dependencies.h"
#include "api/admin/router.h"

namespace hearth::api::admin {

class RuntimeRoutes {
 public:
  // REQUIRES: `dependencies` outlives this.
  explicit RuntimeRoutes(const Dependencies& dependencies) : needs_(dependencies) {}
  void add_to(Router& router);

 private:
  boost::asio::awaitable<Outcome> list(Request request);
  boost::asio::awaitable<Outcome> set_alias(Request request);
  boost::asio::awaitable<Outcome> remove_alias(Request request);

  bool is_configured(const std::string& name, const std::string& target) const;

  const Dependencies& needs_;
};

}  // namespace hearth::api::admin
