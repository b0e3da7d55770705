#include "api/admin/vpc_routes.h"

#include <fmt/format.h>

#include "vpc/address.h"

namespace hearth::api::admin {
namespace {

constexpr int64_t kMaxVlan = 4094;
constexpr int64_t kMaxVni = 0xff'ffff;
constexpr size_t kMaxText = 64;

// An EC2 failure as this API tells it.
Failure plain(const vpc::Ec2Error& error) {
  Error told = error;
  if (!error.code.empty()) told.message = error.code + ": " + error.message;
  return std::unexpected(std::move(told));
}

// The other end of a VXLAN: the address of one host.
Result<> check_remote(const std::string& remote) {
  const auto address = vpc::parse_address(remote);
  const bool names_a_host = address && *address >= 0x0100'0000 && *address < 0xe000'0000;
  if (names_a_host) return {};
  return fail(Kind::invalid, fmt::format("body.remote must be the IPv4 address of a host, not '{}'", remote));
}

json::object tags_of(const vpc::Tags& tags) {
  json::object object;
  for (const auto& [name, value] : tags) object[name] = value;
  return object;
}

json::object describe_subnet(const vpc::Subnet& subnet, int64_t free_addresses) {
  json::array hosts;
  for (const auto& [name, address] : subnet.hosts) {
    hosts.push_back(json::object{{"name", name}, {"address", address}});
  }
  json::object object{{"subnet", subnet.id.str()},
                      {"cidr", subnet.cidr},
                      {"availability_zone", subnet.availability_zone},
                      {"free_addresses", free_addresses},
                      {"hosts", std::move(hosts)}};
  if (!subnet.gateway_address.empty()) {
    object["gateway"] = json::object{{"address", subnet.gateway_address}, {"mac", subnet.gateway_mac}};
  }
  if (!subnet.bridge.empty()) {
    object["attached"] = json::object{{"bridge", subnet.bridge}, {"vlan", subnet.vlan}};
  } else if (subnet.vni != 0) {
    object["attached"] = json::object{{"vxlan", subnet.vni}, {"remote", subnet.vxlan_remote}};
  }
  return object;
}

}  // namespace

void VpcRoutes::add_to(Router& router) {
  router.add("GET", "vpcs", this, &VpcRoutes::list);
  router.add("GET", "vpcs/{vpc}", this, &VpcRoutes::show);
  router.add("POST", "vpcs/{vpc}/hosts", this, &VpcRoutes::add_host);
  router.add("DELETE", "hosts/{name}", this, &VpcRoutes::remove_host);
  router.add("PUT", "vpcs/{vpc}/attachment", this, &VpcRoutes::attach);
  router.add("DELETE", "vpcs/{vpc}/attachment", this, &VpcRoutes::detach);
}

Result<VpcRoutes::Place> VpcRoutes::find(const std::string& vpc) const {
  for (const auto& account : needs_.accounts.list()) {
    if (needs_.networks.find_vpc(account, VpcId(vpc)) != nullptr) return Place{account, VpcId(vpc)};
  }
  return fail(Kind::not_found, fmt::format("there is no VPC {}", vpc));
}

Result<VpcRoutes::Place> VpcRoutes::find_host(const std::string& name) const {
  std::vector<Place> found;
  for (const auto& account : needs_.accounts.list()) {
    for (const auto* subnet : needs_.networks.subnets(account)) {
      if (subnet->hosts.contains(name)) found.push_back({account, subnet->vpc});
    }
  }
  if (found.empty()) return fail(Kind::not_found, fmt::format("there is no host {}", name));
  if (found.size() > 1) return fail(Kind::conflict, fmt::format("{} VPCs have a host {}", found.size(), name));
  return found.front();
}

json::object VpcRoutes::describe(const AccountId& account, const vpc::Vpc& vpc) const {
  return {{"vpc", vpc.id.str()}, {"account", account.str()}, {"cidr", vpc.cidr}, {"tags", tags_of(vpc.tags)}};
}

json::array VpcRoutes::subnets_of(const Place& place, const json::object& counters) const {
  json::array list;
  for (const auto* subnet : needs_.networks.subnets(place.account)) {
    if (subnet->vpc != place.vpc) continue;
    json::object object = describe_subnet(*subnet, needs_.networks.free_addresses(*subnet));
    if (const auto* counted = counters.if_contains(subnet->id.str())) object["counters"] = *counted;
    list.push_back(std::move(object));
  }
  return list;
}

boost::asio::awaitable<Outcome> VpcRoutes::list(Request request) {
  CO_TRY(request.only_query({"account"}));
  std::string wanted = request.query_text("account");
  json::array vpcs;
  for (const auto& account : needs_.accounts.list()) {
    if (!wanted.empty() && account.str() != wanted) continue;
    for (const auto* vpc : needs_.networks.vpcs(account)) {
      json::object object = describe(account, *vpc);
      object["subnets"] = subnets_of({account, vpc->id}, {});
      vpcs.push_back(std::move(object));
    }
  }
  co_return json::object{{"vpcs", std::move(vpcs)}};
}

boost::asio::awaitable<Outcome> VpcRoutes::show(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY_ASSIGN(Place place, find(request.parts[0]));
  auto counters = co_await needs_.networks.counters(place.account, place.vpc);
  const auto* vpc = needs_.networks.find_vpc(place.account, place.vpc);
  if (vpc == nullptr) co_return fail(Kind::not_found, fmt::format("there is no VPC {}", place.vpc.str()));
  json::object object = describe(place.account, *vpc);
  // The records are worth seeing though the gateway can't be asked.
  if (!counters) object["counters_error"] = counters.error().message;
  object["subnets"] = subnets_of(place, counters.value_or(json::object()));
  co_return object;
}

boost::asio::awaitable<Outcome> VpcRoutes::add_host(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY_ASSIGN(json::value body, request.body());
  CO_TRY_ASSIGN(FieldReader reader, FieldReader::of(body, "body"));
  CO_TRY_ASSIGN(std::string subnet, reader.text_or("subnet", kMaxText, ""));
  CO_TRY_ASSIGN(std::string name, reader.text("name", kMaxText));
  CO_TRY_ASSIGN(std::string address, reader.text_or("address", kMaxText, ""));
  CO_TRY(reader.finish());
  CO_TRY_ASSIGN(Place place, find(request.parts[0]));
  auto host = co_await needs_.networks.add_host(place.account, place.vpc, SubnetId(subnet), name, address);
  if (!host) co_return plain(host.error());
  co_return json::object{{"name", host->name},
                         {"vpc", place.vpc.str()},
                         {"subnet", host->subnet.str()},
                         {"address", host->address},
                         {"namespace", host->name}};
}

boost::asio::awaitable<Outcome> VpcRoutes::remove_host(Request request) {
  CO_TRY(request.only_query({}));
  const std::string name = request.parts[0];
  CO_TRY_ASSIGN(Place place, find_host(name));
  auto removed = co_await needs_.networks.delete_host(place.account, place.vpc, name);
  if (!removed) co_return plain(removed.error());
  co_return json::object{};
}

boost::asio::awaitable<Outcome> VpcRoutes::attach(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY_ASSIGN(json::value body, request.body());
  CO_TRY_ASSIGN(FieldReader reader, FieldReader::of(body, "body"));
  CO_TRY_ASSIGN(std::string subnet, reader.text_or("subnet", kMaxText, ""));
  CO_TRY_ASSIGN(std::string bridge, reader.text_or("bridge", kMaxText, ""));
  CO_TRY_ASSIGN(int64_t vlan, reader.integer_or("vlan", 0, kMaxVlan, 0));
  CO_TRY_ASSIGN(int64_t vni, reader.integer_or("vxlan", 1, kMaxVni, 0));
  CO_TRY_ASSIGN(std::string remote, reader.text_or("remote", kMaxText, ""));
  CO_TRY(reader.finish());
  if (bridge.empty() == (vni == 0)) co_return fail(Kind::invalid, "body must hold either bridge or vxlan");
  if (vni != 0 && vlan != 0) co_return fail(Kind::invalid, "body.vlan goes with bridge only");
  if ((vni != 0) == remote.empty()) co_return fail(Kind::invalid, "body.remote goes with vxlan, which needs it");
  if (vni != 0) CO_TRY(check_remote(remote));
  CO_TRY_ASSIGN(Place place, find(request.parts[0]));
  vpc::Ec2Result<> attached;
  if (vni != 0) {
    attached = co_await needs_.networks.attach_vxlan(place.account, place.vpc, SubnetId(subnet), vni, remote);
  } else {
    attached = co_await needs_.networks.attach_bridge(place.account, place.vpc, SubnetId(subnet), bridge, vlan);
  }
  if (!attached) co_return plain(attached.error());
  co_return json::object{};
}

boost::asio::awaitable<Outcome> VpcRoutes::detach(Request request) {
  CO_TRY(request.only_query({"subnet"}));
  CO_TRY_ASSIGN(Place place, find(request.parts[0]));
  SubnetId subnet(request.query_text("subnet"));
  auto detached = co_await needs_.networks.detach(place.account, place.vpc, subnet);
  if (!detached) co_return plain(detached.error());
  co_return json::object{};
}

}  // namespace hearth::api::admin
