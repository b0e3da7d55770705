// VpcRoutes: local VPCs: where they are tied to real networks, their trial hosts, their gateways' counters.
//
// A VPC is found by its id in whatever account it is. An EC2 error's message carries its code in front.
#pragma once

#include <utility>

#include "api/admin/dependencies.h"
#include "api/admin/router.h"

namespace hearth::api::admin {

class VpcRoutes {
 public:
  // REQUIRES: `dependencies` outlives this.
  explicit VpcRoutes(const Dependencies& dependencies) : needs_(dependencies) {}
  void add_to(Router& router);

 private:
  boost::asio::awaitable<Outcome> list(Request request);
  boost::asio::awaitable<Outcome> show(Request request);
  boost::asio::awaitable<Outcome> add_host(Request request);
  boost::asio::awaitable<Outcome> remove_host(Request request);
  boost::asio::awaitable<Outcome> attach(Request request);
  boost::asio::awaitable<Outcome> detach(Request request);

  struct Place {
    AccountId account;
    VpcId vpc;
  };
  Result<Place> find(const std::string& vpc) const;
  // Of all accounts; Kind::conflict when several VPCs have a host of that name.
  Result<Place> find_host(const std::string& name) const;
  json::object describe(const AccountId& account, const vpc::Vpc& vpc) const;
  json::array subnets_of(const Place& place, const json::object& counters) const;

  const Dependencies& needs_;
};

}  // namespace hearth::api::admin
