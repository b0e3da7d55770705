// AccountRoutes: accounts and their keys. An account goes only when it holds no function and no VPC.
#pragma once

#include "api/admin/dependencies.h"
#include "api/admin/router.h"

namespace hearth::api::admin {

class AccountRoutes {
 public:
  // REQUIRES: `dependencies` outlives this.
  explicit AccountRoutes(const Dependencies& dependencies) : needs_(dependencies) {}
  void add_to(Router& router);

 private:
  boost::asio::awaitable<Outcome> list(Request request);
  boost::asio::awaitable<Outcome> create(Request request);
  boost::asio::awaitable<Outcome> credentials(Request request);
  boost::asio::awaitable<Outcome> new_key(Request request);
  boost::asio::awaitable<Outcome> remove(Request request);

  // The account of the path. Kind::invalid when it is none, Kind::not_found when there is none of that number.
  Result<AccountId> account_of(const Request& request) const;
  json::object describe(const AccountId& account, const AccessKey& key) const;

  const Dependencies& needs_;
};

}  // namespace hearth::api::admin
