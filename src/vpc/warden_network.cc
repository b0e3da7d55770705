#include "vpc/warden_network.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::vpc {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto kDeadline = std::chrono::milliseconds(10s);
constexpr auto kGatewayDeadline = std::chrono::milliseconds(60s);  // a virtual machine may have to start

const GatewayId& the_gateway() {
  static const GatewayId kGateway("gw-0");
  return kGateway;
}

}  // namespace

asio::awaitable<Result<>> WardenNetwork::ensure(warden::Request request, std::chrono::milliseconds deadline) {
  auto answer = co_await client_().call(std::move(request), deadline);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return Result<>();
}

asio::awaitable<Result<>> WardenNetwork::drop(warden::Request request) {
  auto answer = co_await client_().call(std::move(request), kDeadline);
  if (!answer && answer.error().kind != Kind::not_found) co_return std::unexpected(std::move(answer).error());
  co_return Result<>();
}

asio::awaitable<Result<>> WardenNetwork::ensure_gateway() {
  warden::Request request = warden::EnsureGateway{the_gateway(), driver_};
  co_return co_await ensure(std::move(request), kGatewayDeadline);
}

asio::awaitable<Result<>> WardenNetwork::ensure_outside() {
  warden::Request request = warden::EnsureOutside{the_gateway()};
  co_return co_await ensure(std::move(request), kGatewayDeadline);
}

asio::awaitable<Result<>> WardenNetwork::ensure_subnet(Subnet subnet) {
  warden::Request vpc = warden::EnsureVpc{subnet.vpc};
  CO_TRY(co_await ensure(std::move(vpc), kDeadline));
  warden::Request request = warden::EnsureSubnet{subnet.vpc, subnet.id, subnet.cidr};
  CO_TRY(co_await ensure(std::move(request), kDeadline));
  co_return Result<>();
}

asio::awaitable<Result<warden::AttachmentReply>> WardenNetwork::ensure_attachment(Subnet subnet) {
  for (int attempt = 0; attempt < kProofAttempts; ++attempt) {
    warden::Request request =
        warden::EnsureAttachment{the_gateway(), subnet.id.str(), subnet.vpc, subnet.id, subnet.gateway_address};
    auto reply = co_await call_for<warden::AttachmentReply>(client_(), std::move(request), kGatewayDeadline);
    if (!reply) co_return std::unexpected(std::move(reply).error());
    if (reply->proven) co_return reply;
  }
  co_return fail(Kind::unavailable, fmt::format("the gateway at {} got no answer from the router of {}",
                                                subnet.gateway_address, subnet.id.str()));
}

asio::awaitable<Result<>> WardenNetwork::ensure_policy(std::string name, std::vector<warden::EgressRule> egress) {
  warden::Request request = warden::EnsurePolicy{std::move(name), std::move(egress)};
  co_return co_await ensure(std::move(request), kDeadline);
}

asio::awaitable<Result<>> WardenNetwork::add_host(Subnet subnet, std::string name, std::string address) {
  warden::Request request = warden::AddVpcHost{subnet.vpc, subnet.id, std::move(name), std::move(address)};
  co_return co_await ensure(std::move(request), kDeadline);
}

asio::awaitable<Result<>> WardenNetwork::tie(Subnet subnet) {
  if (!subnet.bridge.empty()) {
    warden::Request request = warden::AttachVpcBridge{subnet.vpc, subnet.id, subnet.bridge, subnet.vlan};
    CO_TRY(co_await ensure(std::move(request), kDeadline));
  }
  if (subnet.vni != 0) {
    warden::Request request = warden::AttachVpcVxlan{subnet.vpc, subnet.id, subnet.vni, subnet.vxlan_remote};
    CO_TRY(co_await ensure(std::move(request), kDeadline));
  }
  co_return Result<>();
}

asio::awaitable<Result<>> WardenNetwork::drop_attachment(SubnetId subnet) {
  warden::Request request = warden::DeleteAttachment{subnet.str()};
  co_return co_await drop(std::move(request));
}

asio::awaitable<Result<>> WardenNetwork::drop_policy(std::string name) {
  warden::Request request = warden::DeletePolicy{std::move(name)};
  co_return co_await drop(std::move(request));
}

asio::awaitable<Result<>> WardenNetwork::drop_host(std::string name) {
  warden::Request request = warden::DeleteVpcHost{std::move(name)};
  co_return co_await drop(std::move(request));
}

asio::awaitable<Result<>> WardenNetwork::drop_tie(VpcId vpc, SubnetId subnet) {
  warden::Request request = warden::DetachVpc{std::move(vpc), std::move(subnet)};
  co_return co_await drop(std::move(request));
}

asio::awaitable<Result<>> WardenNetwork::drop_subnet(Subnet subnet) {
  if (!subnet.gateway_address.empty()) CO_TRY(co_await drop_attachment(subnet.id));
  for (const auto& [name, address] : subnet.hosts) CO_TRY(co_await drop_host(name));
  if (!subnet.bridge.empty() || subnet.vni != 0) CO_TRY(co_await drop_tie(subnet.vpc, subnet.id));
  warden::Request request = warden::DeleteSubnet{subnet.vpc, subnet.id};
  co_return co_await drop(std::move(request));
}

asio::awaitable<Result<>> WardenNetwork::drop_vpc(VpcId vpc) {
  warden::Request request = warden::DeleteVpc{std::move(vpc)};
  co_return co_await drop(std::move(request));
}

asio::awaitable<Result<std::vector<warden::NetworkName>>> WardenNetwork::list(std::string kind) {
  std::vector<warden::NetworkName> all;
  std::string after;
  for (int page = 0; page < kMaxPages; ++page) {
    warden::Request request = warden::ListNetwork{kind, after};
    auto reply = co_await call_for<warden::ListNetworkReply>(client_(), std::move(request), kDeadline);
    if (!reply) co_return std::unexpected(std::move(reply).error());
    all.insert(all.end(), reply->names.begin(), reply->names.end());
    if (!reply->more || reply->names.empty()) co_return all;
    after = reply->names.back().name;
  }
  co_return fail(Kind::exhausted, fmt::format("the warden has too many things of kind {}", kind));
}

asio::awaitable<Result<>> WardenNetwork::drop_listed(std::string kind, warden::NetworkName thing) {
  warden::Request request = warden::DeleteVpc{VpcId(thing.name)};
  if (kind == "attachment") request = warden::DeleteAttachment{thing.name};
  if (kind == "host") request = warden::DeleteVpcHost{thing.name};
  if (kind == "policy") request = warden::DeletePolicy{thing.name};
  if (kind == "subnet") request = warden::DeleteSubnet{VpcId(thing.vpc), SubnetId(thing.name)};
  co_return co_await drop(std::move(request));
}

asio::awaitable<Result<json::object>> WardenNetwork::counters(std::vector<std::string> attachments) {
  json::object all;
  json::object of_attachments;
  size_t asked = 0;
  do {
    const size_t count = std::min(attachments.size() - asked, warden::kMaxStats);
    const auto from = attachments.begin() + static_cast<std::ptrdiff_t>(asked);
    warden::GatewayStats stats{the_gateway(), {from, from + static_cast<std::ptrdiff_t>(count)}};
    warden::Request request = std::move(stats);
    auto reply = co_await call_for<warden::GatewayStatsReply>(client_(), std::move(request), kDeadline);
    if (!reply) co_return std::unexpected(std::move(reply).error());
    all = std::move(reply->counters);
    if (const json::value* part = all.if_contains("attachments"); part && part->is_object())
      for (const auto& [name, counters] : part->get_object()) of_attachments[name] = counters;
    asked += count;
  } while (asked < attachments.size());
  all["attachments"] = std::move(of_attachments);
  co_return all;
}

}  // namespace hearth::vpc
