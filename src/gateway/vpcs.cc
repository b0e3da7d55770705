#include "gateway/vpcs.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "kernel/bpf.h"
#include "kernel/netns.h"

namespace hearth::gateway {
namespace {

constexpr uint32_t kLoopback = 1;
constexpr const char* kHostLink = "eth0";

// A bridge's frames stay away from the host's packet filter, where there is one to keep them from.
Result<> no_bridge_filter() {
  for (const char* name : {"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables",
                           "net/bridge/bridge-nf-call-arptables"}) {
    auto written = kernel::write_sysctl(name, "0");
    if (!written && written.error().kind != Kind::not_found) return written;
  }
  return {};
}

Result<> prepare_vpc() {
  TRY(kernel::disable_ipv6());
  TRY(kernel::write_sysctl("net/ipv4/ip_forward", "1"));
  TRY(no_bridge_filter());
  TRY_ASSIGN(auto netlink, kernel::Netlink::open());
  kernel::Batch batch;
  batch.up(kLoopback);
  return netlink.run(batch);
}

// /run/netns as iproute2 wants it: a shared mount, so that a namespace taken away here is gone everywhere.
Result<> prepare_host_dir(const Names& names) {
  TRY(kernel::make_directories(kHostNetnsDir));
  if (mount("", kHostNetnsDir, "none", MS_SHARED | MS_REC, nullptr) == 0) return {};
  if (errno != EINVAL) return fail_errno("make /run/netns shared");
  if (mount(kHostNetnsDir, kHostNetnsDir, "none", MS_BIND | MS_REC, nullptr) != 0) return fail_errno("bind /run/netns");
  TRY(kernel::make_directories(names.undo_dir()));
  std::ofstream(names.undo_dir() + "/run_netns") << "mounted\n";
  if (mount("", kHostNetnsDir, "none", MS_SHARED | MS_REC, nullptr) != 0) return fail_errno("make /run/netns shared");
  return {};
}

Result<> remove_link(kernel::Netlink& netlink, const std::string& name) {
  kernel::Batch batch;
  batch.remove(name);
  auto removed = netlink.run(batch);
  if (!removed && removed.error().errno_value == ENODEV) return {};
  return removed;
}

// Puts an interface on a bridge. The alias is the last to be written: what was left half-made does not have it.
Result<> plug(kernel::Netlink& netlink, const std::string& name, uint32_t bridge, const std::string& alias) {
  TRY_ASSIGN(const kernel::LinkInfo link, netlink.link(name));
  kernel::Batch batch;
  batch.master(link.ifindex, bridge);
  batch.up(link.ifindex);
  TRY(netlink.run(batch));
  if (alias.empty()) return {};
  kernel::Batch finish;
  finish.alias(link.ifindex, alias);
  return netlink.run(finish);
}

bool is_plugged(kernel::Netlink& netlink, const std::string& name, uint32_t bridge, const std::string& alias) {
  const auto link = netlink.link(name);
  return link && link->up && link->master == bridge && link->alias == alias;
}

Result<> write_host_record(const Names& names, const std::string& name, const HostRecord& record) {
  TRY(kernel::make_directories(names.hosts_dir()));
  std::ofstream file(names.hosts_dir() + "/" + name);
  file << record.vpc.str() << ' ' << record.subnet.str() << ' ' << record.address << '\n';
  if (!file.flush()) return fail(Kind::internal, "can't write " + names.hosts_dir() + "/" + name);
  return {};
}

}  // namespace

Result<HostRecord> read_host_record(const Names& names, const std::string& name) {
  std::ifstream file(names.hosts_dir() + "/" + name);
  std::string vpc, subnet, address;
  if (!(file >> vpc >> subnet >> address)) return fail(Kind::not_found, "no VPC host " + name);
  return HostRecord{VpcId(vpc), SubnetId(subnet), address};
}

// ---- VPCs and subnets -------------------------------------------------------------------------------------------

Result<> Vpcs::ensure_vpc(const VpcId& vpc) {
  TRY(check_name("vpc", vpc.str()));
  if (rooms_.contains(vpc)) return {};
  TRY_ASSIGN(Fd netns, kernel::open_or_make_netns(names_.vpc_netns(vpc), prepare_vpc));
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(netns.get()));
  rooms_.emplace(vpc, Room{std::move(netns), std::move(netlink)});
  return {};
}

Result<Vpcs::Room*> Vpcs::room(const VpcId& vpc) {
  TRY(check_name("vpc", vpc.str()));
  const auto found = rooms_.find(vpc);
  if (found != rooms_.end()) return &found->second;
  auto netns = kernel::open_netns(names_.vpc_netns(vpc));
  if (!netns) return fail(Kind::not_found, "no VPC " + vpc.str());
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(netns->get()));
  return &rooms_.emplace(vpc, Room{*std::move(netns), std::move(netlink)}).first->second;
}

Result<SubnetInfo> Vpcs::subnet(const VpcId& vpc, const SubnetId& subnet) {
  TRY(check_name("subnet", subnet.str()));
  TRY_ASSIGN(Room* const room, this->room(vpc));
  auto link = room->netlink.link(Names::bridge(subnet));
  if (!link) return fail(Kind::not_found, "no subnet " + subnet.str() + " in " + vpc.str());
  SubnetInfo info;
  // The alias is "<subnet> <cidr>".
  TRY_ASSIGN(info.cidr, kernel::parse_prefix(link->alias.substr(link->alias.find(' ') + 1)));
  info.router = info.cidr.network() + 1;
  info.bridge = link->ifindex;
  info.mtu = link->mtu;
  return info;
}

Result<> Vpcs::ensure_subnet(const VpcId& vpc, const SubnetId& subnet, const std::string& cidr) {
  TRY(check_name("subnet", subnet.str()));
  TRY_ASSIGN(const kernel::Prefix prefix, kernel::parse_prefix(cidr));
  if (prefix.length < 8 || prefix.length > 30 || prefix.network() != prefix.address)
    return fail(Kind::invalid, "subnet " + cidr + ": a network of /8 to /30 is wanted");
  TRY_ASSIGN(Room* const room, this->room(vpc));
  if (auto known = this->subnet(vpc, subnet)) {
    if (known->cidr.network() == prefix.network() && known->cidr.length == prefix.length) return {};
    return fail(Kind::conflict, "subnet " + subnet.str() + " has another range");
  }
  const std::string name = Names::bridge(subnet);
  kernel::Batch make;
  make.bridge(name);
  auto made = room->netlink.run(make);
  // Left half-made by a warden that was killed.
  if (!made && made.error().errno_value != EEXIST) return made;
  TRY_ASSIGN(const kernel::LinkInfo link, room->netlink.link(name));
  kernel::Batch batch;
  batch.address(link.ifindex, prefix.network() + 1, prefix.length);
  auto addressed = room->netlink.run(batch);
  if (!addressed && addressed.error().errno_value != EEXIST) return addressed;
  kernel::Batch finish;
  finish.up(link.ifindex);
  finish.alias(link.ifindex, subnet.str() + " " + cidr);
  return room->netlink.run(finish);
}

Result<std::vector<VpcId>> Vpcs::all() const {
  std::vector<VpcId> ids;
  TRY_ASSIGN(const auto names, names_in(names_.netns_dir()));
  for (const auto& name : names) {
    if (name.starts_with(names_.vpc_prefix())) ids.emplace_back(name.substr(names_.vpc_prefix().size()));
  }
  return ids;
}

Result<std::vector<SubnetId>> Vpcs::subnets(const VpcId& vpc) {
  std::vector<SubnetId> ids;
  auto room = this->room(vpc);
  // A name that a crash left without its namespace: there is nothing in it.
  if (!room) return ids;
  TRY_ASSIGN(const auto links, (*room)->netlink.links());
  for (const auto& link : links) {
    SubnetId id(link.alias.substr(0, link.alias.find(' ')));
    if (link.kind == "bridge" && link.name == Names::bridge(id)) ids.push_back(std::move(id));
  }
  return ids;
}

Result<bool> Vpcs::has_hosts(const VpcId& vpc, const SubnetId& subnet) const {
  TRY_ASSIGN(const auto hosts, names_in(names_.hosts_dir()));
  return std::ranges::any_of(hosts, [&](const std::string& host) {
    const auto record = read_host_record(names_, host);
    return record && record->vpc == vpc && (subnet.empty() || record->subnet == subnet);
  });
}

Result<> Vpcs::delete_subnet(const VpcId& vpc, const SubnetId& subnet) {
  TRY(check_name("subnet", subnet.str()));
  auto room = this->room(vpc);
  if (!room) return {};
  TRY_ASSIGN(const bool used, has_hosts(vpc, subnet));
  if (used) return fail(Kind::conflict, "subnet " + subnet.str() + " has hosts");
  TRY(detach(vpc, subnet));
  return remove_link((*room)->netlink, Names::bridge(subnet));
}

Result<> Vpcs::delete_vpc(const VpcId& vpc) {
  TRY(check_name("vpc", vpc.str()));
  TRY_ASSIGN(const bool used, has_hosts(vpc, SubnetId()));
  if (used) return fail(Kind::conflict, "VPC " + vpc.str() + " has hosts");
  rooms_.erase(vpc);
  return kernel::forget_netns(names_.vpc_netns(vpc));
}

// ---- hosts ------------------------------------------------------------------------------------------------------

Result<> Vpcs::make_host(Room& room, const SubnetInfo& info, const std::string& name, uint32_t address) {
  TRY(prepare_host_dir(names_));
  const auto prepare = [] { return kernel::disable_ipv6(); };
  TRY_ASSIGN(Fd netns, kernel::open_or_make_netns(std::string(kHostNetnsDir) + "/" + name, prepare));
  TRY(remove_link(room.netlink, Names::host_port(name)));
  kernel::LinkEnd near{.name = Names::host_port(name), .netns = -1, .ifindex = 0, .mac = {}, .mtu = 0};
  kernel::LinkEnd far{.name = kHostLink, .netns = netns.get(), .ifindex = 0, .mac = {}, .mtu = 0};
  kernel::Batch make;
  make.veth(near, far);
  TRY(room.netlink.run(make));
  TRY_ASSIGN(auto inside, kernel::Netlink::open_in(netns.get()));
  // Its number is not known before: a new namespace may have fallback tunnels.
  TRY_ASSIGN(const kernel::LinkInfo link, inside.link(std::string(kHostLink)));
  kernel::Batch batch;
  batch.up(kLoopback);
  batch.up(link.ifindex);
  batch.address(link.ifindex, address, info.cidr.length);
  TRY(inside.run(batch));
  TRY(plug(room.netlink, near.name, info.bridge, ""));
  kernel::Batch route;
  route.default_route(link.ifindex, info.router);
  TRY(inside.run(route));
  return plug(room.netlink, near.name, info.bridge, name);
}

Result<> Vpcs::add_host(const VpcId& vpc, const SubnetId& subnet, const std::string& name, const std::string& address) {
  TRY(check_name("host", name));
  TRY_ASSIGN(const SubnetInfo info, this->subnet(vpc, subnet));
  TRY_ASSIGN(const uint32_t number, kernel::parse_address(address));
  if ((number & info.cidr.mask()) != info.cidr.network() || number <= info.router ||
      number == (info.cidr.network() | ~info.cidr.mask()))
    return fail(Kind::invalid, address + " is no host's address in the subnet");
  TRY_ASSIGN(Room* const room, this->room(vpc));
  const bool has_netns = kernel::open_netns(std::string(kHostNetnsDir) + "/" + name).has_value();
  if (const auto known = read_host_record(names_, name)) {
    const bool same = known->vpc == vpc && known->subnet == subnet && known->address == address;
    if (!same) return fail(Kind::conflict, "VPC host " + name + " exists");
    if (has_netns && is_plugged(room->netlink, Names::host_port(name), info.bridge, name)) return {};
  } else if (has_netns) {
    return fail(Kind::conflict, "a network namespace " + name + " exists that is no VPC host");
  }
  TRY(write_host_record(names_, name, {vpc, subnet, address}));
  return make_host(*room, info, name, number);
}

Result<> Vpcs::delete_host(const std::string& name) {
  TRY(check_name("host", name));
  auto record = read_host_record(names_, name);
  if (!record) return {};
  if (auto room = this->room(record->vpc)) TRY(remove_link((*room)->netlink, Names::host_port(name)));
  TRY(kernel::forget_netns(std::string(kHostNetnsDir) + "/" + name));
  const std::string file = names_.hosts_dir() + "/" + name;
  if (unlink(file.c_str()) != 0 && errno != ENOENT) return fail_errno("unlink " + file);
  return {};
}

// ---- ties to real networks --------------------------------------------------------------------------------------

Result<> Vpcs::attach_bridge(const VpcId& vpc, const SubnetId& subnet, const std::string& bridge, int vlan) {
  if (vlan < 0 || vlan > 4094) return fail(Kind::invalid, "vlan: 1 to 4094, or 0 for none");
  TRY_ASSIGN(const SubnetInfo info, this->subnet(vpc, subnet));
  TRY_ASSIGN(Room* const room, this->room(vpc));
  auto target = host_.link(bridge);
  if (!target) return fail(Kind::not_found, "no bridge " + bridge + " on this host");
  if (target->kind != "bridge") return fail(Kind::invalid, bridge + " is no bridge");
  const std::string tie = subnet.str() + " vlan " + std::to_string(vlan);
  if (is_plugged(host_, names_.uplink(subnet), target->ifindex, tie) &&
      is_plugged(room->netlink, Names::uplink_port(subnet), info.bridge, ""))
    return {};
  TRY(detach(vpc, subnet));
  kernel::LinkEnd near{.name = names_.uplink(subnet), .netns = -1, .ifindex = 0, .mac = {}, .mtu = 0};
  kernel::LinkEnd far{
      .name = Names::uplink_port(subnet), .netns = room->netns.get(), .ifindex = 0, .mac = {}, .mtu = 0};
  kernel::Batch make;
  make.veth(near, far);
  TRY(host_.run(make));
  TRY_ASSIGN(const kernel::LinkInfo outer, host_.link(near.name));
  if (vlan != 0) TRY(tag_uplink(outer.ifindex, static_cast<uint32_t>(vlan)));
  TRY(plug(room->netlink, far.name, info.bridge, ""));
  return plug(host_, near.name, target->ifindex, tie);
}

Result<> Vpcs::tag_uplink(uint32_t ifindex, uint32_t vlan) const {
  using kernel::Hook;
  TRY(programs_->put_uplink_vlan(ifindex, vlan));
  TRY(kernel::attach_program(ifindex, Hook::ingress, programs_->uplink_in(), "uplink_in"));
  return kernel::attach_program(ifindex, Hook::egress, programs_->uplink_out(), "uplink_out");
}

Result<> Vpcs::attach_vxlan(const VpcId& vpc, const SubnetId& subnet, uint32_t vni, const std::string& remote) {
  if (vni == 0 || vni >= 1u << 24) return fail(Kind::invalid, "vni: 1 to 16777215");
  TRY_ASSIGN(const uint32_t address, kernel::parse_address(remote));
  TRY_ASSIGN(const SubnetInfo info, this->subnet(vpc, subnet));
  TRY_ASSIGN(Room* const room, this->room(vpc));
  const std::string name = Names::vxlan_port(subnet);
  const std::string tie = subnet.str() + " vni " + std::to_string(vni) + " to " + kernel::address_text(address);
  if (is_plugged(room->netlink, name, info.bridge, tie)) return {};
  TRY(detach(vpc, subnet));
  kernel::LinkEnd end{.name = name, .netns = room->netns.get(), .ifindex = 0, .mac = {}, .mtu = 0};
  kernel::Batch make;
  make.vxlan(end, vni, address, kVxlanPort);
  if (auto made = host_.run(make); !made) {
    if (made.error().errno_value == EOPNOTSUPP) return fail(Kind::unavailable, "this kernel has no VXLAN");
    if (made.error().errno_value == EEXIST)
      return fail(Kind::conflict, "the VNI " + std::to_string(vni) + " is in use on this host");
    return made;
  }
  return plug(room->netlink, name, info.bridge, tie);
}

Result<> Vpcs::detach(const VpcId& vpc, const SubnetId& subnet) {
  TRY(check_name("subnet", subnet.str()));
  auto room = this->room(vpc);
  // What is in another VPC is not this one's to detach.
  if (!room || !(*room)->netlink.link(Names::bridge(subnet))) return {};
  if (auto link = host_.link(names_.uplink(subnet))) {
    TRY(programs_->drop_uplink_vlan(link->ifindex));
    TRY(remove_link(host_, names_.uplink(subnet)));
  }
  TRY(remove_link((*room)->netlink, Names::uplink_port(subnet)));
  return remove_link((*room)->netlink, Names::vxlan_port(subnet));
}

}  // namespace hearth::gateway
