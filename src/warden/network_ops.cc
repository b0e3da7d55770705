#include "warden/network_ops.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>
#include <utility>

namespace hearth::warden {
namespace {

constexpr int kAnyProtocol = -1;

Result<Reply> done(Result<> result) {
  if (!result) return std::unexpected(std::move(result).error());
  return Reply(Done{});
}

gateway::FunctionNetwork::AttachmentDone attachment_reply(const ReplyWith& reply) {
  return [reply](Result<gateway::AttachmentInfo> info) {
    if (!info) return reply(std::unexpected(std::move(info).error()));
    reply(Reply(AttachmentReply{info->tag, info->mac, info->address, info->proven}));
  };
}

gateway::FunctionNetwork::Thing thing_named(const std::string& kind) {
  using Thing = gateway::FunctionNetwork::Thing;
  if (kind == "attachment") return Thing::attachment;
  if (kind == "host") return Thing::host;
  if (kind == "policy") return Thing::policy;
  return kind == "subnet" ? Thing::subnet : Thing::vpc;
}

Result<Reply> list(const gateway::FunctionNetwork& network, const ListNetwork& request) {
  TRY_ASSIGN(auto all, network.list(thing_named(request.kind)));
  return Reply(page_of(std::move(all), request.after));
}

Result<> ensure_policy(gateway::FunctionNetwork& network, const EnsurePolicy& request) {
  std::vector<gateway::Rule> rules;
  for (const auto& rule : request.egress) {
    TRY_ASSIGN(auto converted, network_rule(rule));
    rules.push_back(converted);
  }
  return network.ensure_policy(request.policy, rules);
}

TakeBlocksReply blocks_reply(gateway::BlockChanges changes) {
  TakeBlocksReply reply{
      .epoch = static_cast<int64_t>(changes.epoch), .serial = static_cast<int64_t>(changes.serial), .changes = {}};
  for (auto& each : changes.changes) {
    reply.changes.push_back({.what = std::move(each.what),
                             .at_ms = each.at.time_since_epoch().count(),
                             .attachment = std::move(each.attachment),
                             .vpc = std::move(each.vpc),
                             .external = std::move(each.external),
                             .container = std::move(each.container),
                             .first_port = each.first_port,
                             .count = each.count});
  }
  return reply;
}

// One overload a request; the last is for those that are not the network's.
struct Answer {
  gateway::FunctionNetwork& network;
  const ReplyWith& reply;

  bool simple(Result<> result) const {
    reply(done(std::move(result)));
    return true;
  }
  bool operator()(const EnsureGateway& r) const { return simple(network.ensure_gateway(r.gateway, r.driver)); }
  bool operator()(const EnsureVpc& r) const { return simple(network.ensure_vpc(r.vpc)); }
  bool operator()(const EnsureSubnet& r) const { return simple(network.ensure_subnet(r.vpc, r.subnet, r.cidr)); }
  bool operator()(const DeleteVpc& r) const { return simple(network.delete_vpc(r.vpc)); }
  bool operator()(const DeleteSubnet& r) const { return simple(network.delete_subnet(r.vpc, r.subnet)); }
  bool operator()(const EnsureAttachment& r) const {
    network.ensure_attachment(r.gateway, r.attachment, r.vpc, r.subnet, r.address, attachment_reply(reply));
    return true;
  }
  bool operator()(const EnsureOutside& r) const {
    network.ensure_outside(r.gateway, attachment_reply(reply));
    return true;
  }
  bool operator()(const DeleteAttachment& r) const { return simple(network.delete_attachment(r.attachment)); }
  bool operator()(const EnsurePolicy& r) const { return simple(ensure_policy(network, r)); }
  bool operator()(const DeletePolicy& r) const { return simple(network.delete_policy(r.policy)); }
  bool operator()(const AddVpcHost& r) const {
    return simple(network.add_vpc_host(r.vpc, r.subnet, r.name, r.address));
  }
  bool operator()(const DeleteVpcHost& r) const { return simple(network.delete_vpc_host(r.name)); }
  bool operator()(const AttachVpcBridge& r) const {
    return simple(network.attach_bridge(r.vpc, r.subnet, r.bridge, static_cast<int>(r.vlan)));
  }
  bool operator()(const AttachVpcVxlan& r) const {
    return simple(network.attach_vxlan(r.vpc, r.subnet, static_cast<uint32_t>(r.vni), r.remote));
  }
  bool operator()(const DetachVpc& r) const { return simple(network.detach_vpc(r.vpc, r.subnet)); }
  bool operator()(const ListNetwork& r) const {
    reply(list(network, r));
    return true;
  }
  bool operator()(const GatewayStats& r) const {
    network.stats(r.gateway, r.attachments, [told = reply](Result<json::object> counters) {
      if (!counters) return told(std::unexpected(std::move(counters).error()));
      told(Reply(GatewayStatsReply{*std::move(counters)}));
    });
    return true;
  }
  bool operator()(const TakeBlocks& r) const {
    const auto tell = [told = reply](Result<gateway::BlockChanges> changes) {
      if (!changes) return told(std::unexpected(std::move(changes).error()));
      told(Reply(blocks_reply(*std::move(changes))));
    };
    network.take_blocks(r.gateway, static_cast<uint64_t>(r.epoch), static_cast<uint64_t>(r.serial), tell);
    return true;
  }
  bool operator()(const auto&) const { return false; }
};

}  // namespace

ListNetworkReply page_of(std::vector<gateway::FunctionNetwork::Named> all, const std::string& after) {
  std::erase_if(all, [&after](const auto& named) { return named.name <= after; });
  std::ranges::sort(all, {}, &gateway::FunctionNetwork::Named::name);
  ListNetworkReply page;
  page.more = all.size() > kMaxListed;
  if (page.more) all.resize(kMaxListed);
  for (auto& named : all) page.names.push_back({std::move(named.name), named.vpc.str()});
  return page;
}

Result<gateway::Rule> network_rule(const EgressRule& rule) {
  gateway::Rule converted;
  converted.protocol = rule.protocol == "tcp"    ? IPPROTO_TCP
                       : rule.protocol == "udp"  ? IPPROTO_UDP
                       : rule.protocol == "icmp" ? IPPROTO_ICMP
                                                 : kAnyProtocol;
  // -1 is "all", as EC2 writes it for ICMP and for all protocols.
  converted.from_port = static_cast<uint16_t>(std::max<int64_t>(rule.from_port, 0));
  converted.to_port = static_cast<uint16_t>(rule.to_port < 0 ? 65535 : rule.to_port);
  auto slash = rule.cidr.find('/');
  in_addr address{};
  if (slash == std::string::npos || inet_pton(AF_INET, rule.cidr.substr(0, slash).c_str(), &address) != 1) {
    return fail(Kind::invalid, "egress.cidr is not an IPv4 range");
  }
  converted.address = ntohl(address.s_addr);
  converted.prefix_length = std::atoi(rule.cidr.c_str() + slash + 1);
  return converted;
}

bool answer_network_request(gateway::FunctionNetwork& network, const Request& request, const ReplyWith& reply) {
  return std::visit(Answer{network, reply}, request);
}

}  // namespace hearth::warden
