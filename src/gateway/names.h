// Names: where the instance's namespaces, pins and sockets are, and how its interfaces are called.
//
// Everything that the kernel shows outside the instance's own namespaces starts with the instance's name. Interface
// names have 15 characters, so ids become short hashes there; the id itself is the interface's alias.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "kernel/netlink.h"

namespace hearth::gateway {

// 12 hex digits (48 bits) that stand for `text`, the same on every start.
std::string short_hash(std::string_view text);

// A name that may become part of a path: 1–64 of [A-Za-z0-9._-], not beginning with a dot.
Result<> check_name(std::string_view what, std::string_view name);
// A name whose namespace and pins would be the function network's or a VPC's is refused too.
Result<> check_gateway_name(std::string_view name);

// What is in a directory, but for dot files; of one that is not there: nothing.
Result<std::vector<std::string>> names_in(const std::string& directory);

class Names {
 public:
  Names(std::string instance, std::string run_dir) : instance_(std::move(instance)), run_dir_(std::move(run_dir)) {}

  const std::string& instance() const { return instance_; }
  const std::string& run_dir() const { return run_dir_; }
  std::string netns_dir() const { return run_dir_ + "/netns"; }
  std::string function_netns() const { return netns_dir() + "/" + instance_ + "-fn"; }
  std::string gateway_netns(const GatewayId& id) const { return netns_dir() + "/" + instance_ + "-" + id.str(); }
  std::string vpc_prefix() const { return instance_ + "-vpc-"; }
  std::string vpc_netns(const VpcId& id) const { return netns_dir() + "/" + vpc_prefix() + id.str(); }
  std::string bpf_dir() const { return run_dir_ + "/bpf"; }
  std::string function_pins() const { return bpf_dir() + "/fn"; }
  std::string gateway_pins(const GatewayId& id) const { return bpf_dir() + "/" + id.str(); }
  std::string gateway_dir() const { return run_dir_ + "/gateways"; }
  std::string gateway_socket(const GatewayId& id) const { return gateway_dir() + "/" + id.str() + ".sock"; }
  std::string gateway_log(const GatewayId& id) const { return gateway_dir() + "/" + id.str() + ".log"; }
  std::string gateway_lock(const GatewayId& id) const { return gateway_dir() + "/" + id.str() + ".lock"; }
  // One file a VPC host; what the host is stands in it.
  std::string hosts_dir() const { return run_dir_ + "/vpc-hosts"; }
  // What must be put back on the host: "ip_forward" holds the value before us, "run_netns" says that the mount is ours.
  std::string undo_dir() const { return run_dir_ + "/undo"; }
  std::string nft_table() const { return "hearth-" + instance_; }

  // Interfaces in the host's namespace.
  std::string outside_link() const { return instance_ + "-out"; }
  std::string uplink(const SubnetId& subnet) const { return instance_ + "-" + short_hash(subnet.str()).substr(0, 6); }
  std::string host_prefix() const { return instance_ + "-"; }
  // Interfaces in a VPC's namespace.
  static std::string bridge(const SubnetId& subnet) { return "b" + short_hash(subnet.str()); }
  static std::string attachment_port(const std::string& attachment) { return "g" + short_hash(attachment); }
  static std::string host_port(const std::string& host) { return "h" + short_hash(host); }
  static std::string uplink_port(const SubnetId& subnet) { return "x" + short_hash(subnet.str()); }
  static std::string vxlan_port(const SubnetId& subnet) { return "v" + short_hash(subnet.str()); }

  // The gateway's MAC in an attachment: the same after a reboot, another on another machine.
  Result<kernel::Mac> attachment_mac(const std::string& attachment) const;

 private:
  std::string instance_;
  std::string run_dir_;
};

constexpr const char* kHostNetnsDir = "/run/netns";  // where `ip netns exec` looks

}  // namespace hearth::gateway
