// Vpcs: local VPCs, a namespace each with one bridge a subnet, its hosts, and its ties to real networks.
//
// The bridge has the subnet's first address and the namespace forwards between its subnets, as a VPC's router does.
// All state is in the kernel; a host of a VPC also has a file that says what it is, written before anything is made.
//
// Single-threaded.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/ids.h"
#include "base/result.h"
#include "gateway/names.h"
#include "gateway/programs.h"
#include "kernel/netlink.h"

namespace hearth::gateway {

constexpr uint16_t kVxlanPort = 4789;

struct SubnetInfo {
  kernel::Prefix cidr;
  uint32_t router = 0;  // host order
  uint32_t bridge = 0;  // ifindex
  uint32_t mtu = 0;
};

class Vpcs {
 public:
  // REQUIRES: `programs` outlives it. `host` is the host's own namespace.
  Vpcs(const Names& names, const Programs& programs, kernel::Netlink host)
      : names_(names), programs_(&programs), host_(std::move(host)) {}

  Result<> ensure_vpc(const VpcId& vpc);
  Result<> ensure_subnet(const VpcId& vpc, const SubnetId& subnet, const std::string& cidr);
  Result<> delete_subnet(const VpcId& vpc, const SubnetId& subnet);
  Result<> delete_vpc(const VpcId& vpc);
  Result<std::vector<VpcId>> all() const;
  Result<std::vector<SubnetId>> subnets(const VpcId& vpc);
  Result<SubnetInfo> subnet(const VpcId& vpc, const SubnetId& subnet);

  Result<> add_host(const VpcId& vpc, const SubnetId& subnet, const std::string& name, const std::string& address);
  Result<> delete_host(const std::string& name);

  // A tie that stands as asked for is left alone; another one of the subnet is replaced.
  Result<> attach_bridge(const VpcId& vpc, const SubnetId& subnet, const std::string& bridge, int vlan);
  Result<> attach_vxlan(const VpcId& vpc, const SubnetId& subnet, uint32_t vni, const std::string& remote);
  Result<> detach(const VpcId& vpc, const SubnetId& subnet);

  // The namespace of a VPC, and netlink there.
  struct Room {
    Fd netns;
    kernel::Netlink netlink;
  };
  Result<Room*> room(const VpcId& vpc);

 private:
  Result<bool> has_hosts(const VpcId& vpc, const SubnetId& subnet) const;
  Result<> make_host(Room& room, const SubnetInfo& info, const std::string& name, uint32_t address);

  Result<> tag_uplink(uint32_t ifindex, uint32_t vlan) const;

  Names names_;
  const Programs* programs_;
  kernel::Netlink host_;
  std::map<VpcId, Room> rooms_;
};

// What is written in a VPC host's file.
struct HostRecord {
  VpcId vpc;
  SubnetId subnet;
  std::string address;
};
Result<HostRecord> read_host_record(const Names& names, const std::string& name);

}  // namespace hearth::gateway
