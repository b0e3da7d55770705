// Networks: hosts for trials, and ties of subnets to real networks.
#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "vpc/address.h"
#include "vpc/networks.h"
#include "vpc/records.h"
#include "vpc/turns.h"
#include "vpc/warden_network.h"

namespace hearth::vpc {
namespace {

namespace asio = boost::asio;

constexpr size_t kMaxHostName = 32;
constexpr size_t kMaxInterfaceName = 15;  // IFNAMSIZ less its end
constexpr int64_t kMaxVlan = 4094;
constexpr int64_t kMaxVni = 0xffffff;

std::unexpected<Ec2Error> bad(std::string message) {
  return refuse(Kind::invalid, "InvalidParameterValue", std::move(message));
}

bool is_name(const std::string& text, size_t max_bytes, std::string_view punctuation) {
  auto allowed = [punctuation](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || punctuation.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= max_bytes && std::isalnum(static_cast<unsigned char>(text[0])) &&
         std::ranges::all_of(text, allowed);
}

Ec2Result<std::string> host_address(const Subnet& subnet, const std::string& wanted) {
  TRY_ASSIGN(Cidr range, parse_cidr(subnet.cidr));
  std::set<uint32_t> taken;
  for (const auto& address : std::views::values(subnet.hosts)) {
    TRY_ASSIGN(uint32_t parsed, parse_address(address));
    taken.insert(parsed);
  }
  if (!subnet.gateway_address.empty()) {
    TRY_ASSIGN(uint32_t gateway, parse_address(subnet.gateway_address));
    taken.insert(gateway);
  }
  if (wanted.empty()) {
    auto address = next_free(range, taken);
    if (!address)
      return refuse(Kind::exhausted, "InsufficientFreeAddressesInSubnet",
                    fmt::format("The subnet '{}' has no free address", subnet.id.str()));
    return address_text(*address);
  }
  auto address = parse_address(wanted);
  if (!address || !assignable(range, *address))
    return bad(fmt::format("The address '{}' is not one that a host of {} may have", wanted, subnet.cidr));
  if (taken.contains(*address))
    return refuse(Kind::conflict, "InvalidIPAddress.InUse", fmt::format("Address {} is in use.", wanted));
  return address_text(*address);
}

}  // namespace

Ec2Result<Subnet> Networks::subnet_of(const AccountId& account, const VpcId& vpc, const SubnetId& id) const {
  if (!find_vpc(account, vpc))
    return refuse(Kind::not_found, "InvalidVpcID.NotFound", fmt::format("The vpc ID '{}' does not exist", vpc.str()));
  const Subnet* only = nullptr;
  size_t count = 0;
  for (const Subnet* subnet : subnets(account)) {
    if (subnet->vpc != vpc || (!id.empty() && subnet->id != id)) continue;
    only = subnet;
    ++count;
  }
  if (count == 1) return *only;
  if (!id.empty())
    return refuse(Kind::not_found, "InvalidSubnetID.NotFound",
                  fmt::format("The subnet ID '{}' does not exist", id.str()));
  return bad(fmt::format("The VPC '{}' has {} subnets: name one", vpc.str(), count));
}

asio::awaitable<Ec2Result<Networks::Host>> Networks::add_host(AccountId account, VpcId vpc, SubnetId id,
                                                              std::string name, std::string address) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  AccountId everyone("host names");  // they are the host's, whoever's VPC it is
  CO_TRY_ASSIGN(auto name_turn, co_await turns_->take(everyone));
  CO_TRY_ASSIGN(Subnet subnet, subnet_of(account, vpc, id));
  if (!is_name(name, kMaxHostName, "-_"))
    co_return bad(fmt::format("A host's name has 1 to {} letters, digits, '-' and '_'", kMaxHostName));
  if (records_->host_exists(name))
    co_return refuse(Kind::conflict, "InvalidParameterValue", fmt::format("The host name '{}' is taken", name));
  if (subnet.hosts.size() >= kMaxHosts)
    co_return refuse(Kind::exhausted, "HostLimitExceeded", fmt::format("A subnet has at most {} hosts", kMaxHosts));
  CO_TRY_ASSIGN(std::string given, host_address(subnet, address));
  Host host{name, subnet.id, std::move(given)};
  CO_TRY(co_await warden_->ensure_subnet(subnet));
  Subnet before = subnet;
  subnet.hosts[name] = host.address;
  CO_TRY(co_await records_->save(subnet));
  auto added = co_await warden_->add_host(subnet, name, host.address);
  if (!added) {
    CO_TRY(co_await records_->save(std::move(before)));
    co_return std::unexpected(added.error());
  }
  co_return host;
}

asio::awaitable<Ec2Result<>> Networks::delete_host(AccountId account, VpcId vpc, std::string name) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  for (const Subnet* found : subnets(account)) {
    if (found->vpc != vpc || !found->hosts.contains(name)) continue;
    Subnet subnet = *found;
    CO_TRY(co_await warden_->drop_host(name));
    subnet.hosts.erase(name);
    CO_TRY(co_await records_->save(std::move(subnet)));
    co_return Ec2Result<>();
  }
  co_return refuse(Kind::not_found, "InvalidHost.NotFound",
                   fmt::format("The VPC '{}' has no host '{}'", vpc.str(), name));
}

asio::awaitable<Ec2Result<>> Networks::save_tied(Subnet subnet, Subnet before) {
  if (!before.bridge.empty() || before.vni != 0)
    co_return refuse(Kind::conflict, "IncorrectState",
                     fmt::format("The subnet '{}' is tied to a network already: detach it first", subnet.id.str()));
  CO_TRY(co_await warden_->ensure_subnet(before));
  CO_TRY(co_await records_->save(subnet));
  auto tied = co_await warden_->tie(std::move(subnet));
  if (tied) co_return Ec2Result<>();
  // First in the kernel, where it may stand in part. While that can't be, the record stays: it is said again.
  auto dropped = co_await warden_->drop_tie(before.vpc, before.id);
  if (dropped) CO_TRY(co_await records_->save(std::move(before)));
  co_return std::unexpected(tied.error());
}

asio::awaitable<Ec2Result<>> Networks::attach_bridge(AccountId account, VpcId vpc, SubnetId id, std::string bridge,
                                                     int64_t vlan) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  CO_TRY_ASSIGN(Subnet before, subnet_of(account, vpc, id));
  if (!is_name(bridge, kMaxInterfaceName, "-_."))
    co_return bad(fmt::format("'{}' is not the name of a bridge", bridge.substr(0, 64)));
  if (vlan < 0 || vlan > kMaxVlan) co_return bad(fmt::format("The VLAN must be between 0 and {}", kMaxVlan));
  Subnet subnet = before;
  subnet.bridge = std::move(bridge);
  subnet.vlan = vlan;
  co_return co_await save_tied(std::move(subnet), std::move(before));
}

asio::awaitable<Ec2Result<>> Networks::attach_vxlan(AccountId account, VpcId vpc, SubnetId id, int64_t vni,
                                                    std::string remote) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  CO_TRY_ASSIGN(Subnet before, subnet_of(account, vpc, id));
  if (vni < 1 || vni > kMaxVni) co_return bad(fmt::format("The VNI must be between 1 and {}", kMaxVni));
  CO_TRY(parse_address(remote));
  Subnet subnet = before;
  subnet.vni = vni;
  subnet.vxlan_remote = std::move(remote);
  co_return co_await save_tied(std::move(subnet), std::move(before));
}

asio::awaitable<Ec2Result<>> Networks::detach(AccountId account, VpcId vpc, SubnetId id) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  CO_TRY_ASSIGN(Subnet subnet, subnet_of(account, vpc, id));
  CO_TRY(co_await warden_->drop_tie(subnet.vpc, subnet.id));
  subnet.bridge.clear();
  subnet.vlan = 0;
  subnet.vni = 0;
  subnet.vxlan_remote.clear();
  CO_TRY(co_await records_->save(std::move(subnet)));
  co_return Ec2Result<>();
}

asio::awaitable<Result<json::object>> Networks::gateway_counters() {
  const auto names = known_names("attachment");
  std::vector<std::string> attachments(names.begin(), names.end());
  co_return co_await warden_->counters(std::move(attachments));
}

asio::awaitable<Ec2Result<json::object>> Networks::counters(AccountId account, VpcId vpc) {
  if (!find_vpc(account, vpc))
    co_return refuse(Kind::not_found, "InvalidVpcID.NotFound",
                     fmt::format("The vpc ID '{}' does not exist", vpc.str()));
  std::vector<std::string> attached;
  for (const Subnet* subnet : subnets(account))
    if (subnet->vpc == vpc && !subnet->gateway_address.empty()) attached.push_back(subnet->id.str());
  if (attached.empty()) co_return json::object();
  CO_TRY_ASSIGN(json::object all, co_await warden_->counters(std::move(attached)));
  co_return std::move(all["attachments"].as_object());
}

}  // namespace hearth::vpc
