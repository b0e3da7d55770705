// The oracle: nftables masquerade in a network namespace that routes.
//
// Overlapping VPCs are told apart by a conntrack zone and a routing table of each, chosen by the interface that a
// packet comes from.
#include <gtest/gtest.h>

#include <deque>
#include <list>

#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "tests/gateway/checklist/subject.h"

namespace hearth::gateway::test {
namespace {

constexpr const char* kRouterMac = "02:64:00:00:00:00";
constexpr int kNarrowPorts = 64;
constexpr int kVpcs = 4, kContainers = 16;
constexpr uint32_t kContainerMtuHere = 1450;

int64_t sysctl(const std::string& name) {
  const auto value = kernel::read_sysctl("net/netfilter/nf_conntrack_" + name);
  EXPECT_TRUE(value) << name;
  return value ? std::stoll(*value) : 0;
}

Fd new_netns() {
  auto made = kernel::make_netns();
  EXPECT_TRUE(made);
  auto inside = kernel::NetnsScope::enter(made->get());
  EXPECT_TRUE(kernel::disable_ipv6());
  auto netlink = kernel::Netlink::open();
  kernel::Batch batch;
  batch.up(1);
  EXPECT_TRUE(netlink->run(batch));
  return std::move(*made);
}

class Oracle final : public Subject {
 public:
  Oracle() { clear(); }
  Kind kind() const override { return Kind::oracle; }
  Vpc& make_vpc(const std::string& name) override;
  Peer& make_container(Vpc& vpc) override;
  void remove_container(const Peer& container) override;
  void clear() override;
  Limits limits() override;
  bool age(Vpc&, uint32_t) override { return false; }
  std::optional<int64_t> counter(Vpc&, const std::string&) override { return std::nullopt; }
  int narrow_ports() const override { return kNarrowPorts; }

 private:
  struct Place {  // of a container
    std::string link;
    std::unique_ptr<Peer> peer;
  };
  std::unique_ptr<Peer> make_host(int number, int last, const std::string& hop_mac);
  void in_router(const std::string& command) { EXPECT_EQ(run_in(router_.get(), command), 0) << command; }

  Fd router_;
  std::deque<Fd> switches_;
  std::list<Vpc> vpcs_;
  std::list<Place> containers_;
  int next_address_ = 0, next_link_ = 0;
};

// Interfaces of VPC n: vn in the router, container m's end: cn_m. Tables and zones have the VPC's number, 1…
std::string rules() {
  std::string zones;
  for (int vpc = 1; vpc <= kVpcs; ++vpc) {
    const std::string number = std::to_string(vpc);
    zones += (vpc > 1 ? ", " : "") + ("\"v" + number + "\" : ") + number;
    for (int place = 0; place < kContainers; ++place)
      zones += ", \"c" + number + "_" + std::to_string(place) + "\" : " + number;
  }
  return "table ip nat {\n"
         " chain zones {\n  type filter hook prerouting priority raw;\n  ct zone set iifname map { " +
         zones +
         " }\n }\n"
         " chain out {\n  type nat hook postrouting priority srcnat;\n"
         "  oifname \"v*\" tcp dport 4444 masquerade to :50000-50063\n"
         "  oifname \"v*\" masquerade\n }\n}\n";
}

void Oracle::clear() {
  containers_.clear();
  vpcs_.clear();
  switches_.clear();
  next_address_ = next_link_ = 0;
  router_ = new_netns();
  auto inside = kernel::NetnsScope::enter(router_.get());
  for (const char* name : {"net/ipv4/conf/all/rp_filter", "net/ipv4/conf/default/rp_filter"})
    EXPECT_TRUE(kernel::write_sysctl(name, "0"));
  EXPECT_TRUE(kernel::write_sysctl("net/ipv4/ip_forward", "1"));
  in_router("nft -f - <<'RULES'\n" + rules() + "RULES");
}

std::unique_ptr<Peer> Oracle::make_host(int number, int last, const std::string& hop_mac) {
  Fd netns = new_netns();
  const std::string port = "h" + std::to_string(last);
  auto netlink = kernel::Netlink::open_in(switches_.back().get());
  kernel::Batch batch;
  batch.veth({.name = port}, {.name = "eth0", .netns = netns.get(), .ifindex = 2});
  batch.up(port);
  EXPECT_TRUE(netlink->run(batch)) << number;
  kernel::Batch master;
  master.master(netlink->link(port)->ifindex, netlink->link("br0")->ifindex);
  EXPECT_TRUE(netlink->run(master));
  auto there = kernel::Netlink::open_in(netns.get());
  kernel::Batch setup;
  setup.up(2);
  setup.address(2, 0x0a000000 + static_cast<uint32_t>(last), 24);
  EXPECT_TRUE(there->run(setup));
  return std::make_unique<Peer>(std::move(netns), "10.0.0." + std::to_string(last), hop_mac);
}

Vpc& Oracle::make_vpc(const std::string& name) {
  const int number = static_cast<int>(vpcs_.size()) + 1;
  const std::string text = std::to_string(number), link = "v" + text;
  EXPECT_LE(number, kVpcs);
  switches_.push_back(new_netns());
  auto netlink = kernel::Netlink::open_in(switches_.back().get());
  kernel::Batch bridge;
  bridge.bridge("br0");
  bridge.up("br0");
  const kernel::Mac mac = {6, 0, 0, 0, 0, static_cast<uint8_t>(number)};
  bridge.veth({.name = "router"}, {.name = link, .netns = router_.get(), .mac = mac});
  bridge.up("router");
  EXPECT_TRUE(netlink->run(bridge));
  kernel::Batch master;
  master.master(netlink->link("router")->ifindex, netlink->link("br0")->ifindex);
  EXPECT_TRUE(netlink->run(master));
  in_router("ip link set " + link + " up && ip addr add 10.0.0.4/24 dev " + link + " && ip route add 10.0.0.0/24 dev " +
            link + " table " + text + " && ip route add default via 10.0.0.1 dev " + link + " onlink table " + text +
            " && ip rule add iif " + link + " lookup " + text);
  Vpc& vpc = vpcs_.emplace_back();
  vpc.name = name;
  vpc.host = make_host(number, 10, kernel::to_string(mac));
  vpc.other = make_host(number, 11, kernel::to_string(mac));
  return vpc;
}

Peer& Oracle::make_container(Vpc& vpc) {
  int number = 1;
  for (const Vpc& each : vpcs_) {
    if (&each == &vpc) break;
    ++number;
  }
  const std::string table = std::to_string(number);
  const std::string link = "c" + table + "_" + std::to_string(next_link_++);
  const uint32_t address = 0x64400100 + static_cast<uint32_t>(next_address_++);
  const std::string text = kernel::address_text(address);
  Fd netns = new_netns();
  auto netlink = kernel::Netlink::open_in(router_.get());
  const kernel::Mac router = {2, 0x64, 0, 0, 0, 0};
  kernel::Batch batch;
  batch.veth({.name = link, .mac = router, .mtu = kContainerMtuHere},
             {.name = "eth0", .netns = netns.get(), .ifindex = 2, .mtu = kContainerMtuHere});
  EXPECT_TRUE(netlink->run(batch));
  auto inside = kernel::Netlink::open_in(netns.get());
  kernel::Batch setup;
  setup.up(2);
  setup.address(2, address, 32);
  EXPECT_TRUE(inside->run(setup));
  const std::string mac = kernel::to_string(inside->link(2)->mac);
  in_router("ip link set " + link + " up && ip addr add 100.64.0.1/32 dev " + link + " && ip neigh add " + text +
            " lladdr " + mac + " dev " + link + " && ip route add " + text + " dev " + link + " && ip route add " +
            text + " dev " + link + " table " + table + " && ip rule add iif " + link + " lookup " + table);
  Place& place = containers_.emplace_back();
  place.link = link;
  place.peer = std::make_unique<Peer>(std::move(netns), text, kRouterMac);
  return *place.peer;
}

// The next one gets its address, as another router's DHCP would give it.
void Oracle::remove_container(const Peer& container) {
  containers_.remove_if([&](const Place& place) {
    if (place.peer.get() != &container) return false;
    in_router("ip link del " + place.link);
    return true;
  });
  --next_address_;
}

Limits Oracle::limits() {
  auto inside = kernel::NetnsScope::enter(router_.get());
  int64_t transitory = sysctl("tcp_timeout_syn_sent");
  for (const char* state : {"syn_recv", "fin_wait", "close_wait", "last_ack", "time_wait"})
    transitory = std::min(transitory, sysctl(std::string("tcp_timeout_") + state));
  return {.udp_new = sysctl("udp_timeout"),
          .udp = sysctl("udp_timeout_stream"),
          .tcp_established = sysctl("tcp_timeout_established"),
          .tcp_transitory = transitory,
          .tcp_reset = sysctl("tcp_timeout_close"),
          .icmp = sysctl("icmp_timeout"),
          .hold = 0};
}

}  // namespace

std::unique_ptr<Subject> make_oracle() { return std::make_unique<Oracle>(); }

}  // namespace hearth::gateway::test
