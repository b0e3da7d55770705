// Ties to real networks: bridges with and without VLAN, VXLAN, and the host's default route. The "host" of each test is
// a namespace of its own, so that nothing of the machine's is touched.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "gateway/names.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "tests/gateway/world.h"

namespace hearth::gateway::test {
namespace {

class Ties : public World {
 protected:
  void SetUp() override {
    host_ = std::move(*kernel::make_netns());
    inside_ = std::make_unique<kernel::NetnsScope>(std::move(*kernel::NetnsScope::enter(host_.get())));
    auto netlink = kernel::Netlink::open();
    kernel::Batch batch;
    batch.up(1);
    ASSERT_TRUE(netlink->run(batch));
    ASSERT_TRUE(kernel::disable_ipv6());
    World::SetUp();
  }
  void TearDown() override {
    World::TearDown();
    inside_.reset();
  }

  void add_bridge(const std::string& name) {
    auto netlink = kernel::Netlink::open();
    kernel::Batch batch;
    batch.bridge(name);
    batch.up(name);
    const auto made = netlink->run(batch);
    ASSERT_TRUE(made) << made.error().describe();
  }
  // A namespace behind a pair: `near` in the host's namespace, eth0 with `address` there.
  Fd add_far(const std::string& near, uint32_t address, int prefix_length) {
    Fd far = std::move(*kernel::make_netns());
    auto netlink = kernel::Netlink::open();
    kernel::Batch batch;
    batch.veth({.name = near}, {.name = "eth0", .netns = far.get(), .ifindex = 2});
    batch.up(near);
    EXPECT_TRUE(netlink->run(batch));
    auto inside = kernel::Netlink::open_in(far.get());
    kernel::Batch setup;
    setup.up(1);
    setup.up(2);
    setup.address(2, address, prefix_length);
    EXPECT_TRUE(inside->run(setup));
    return far;
  }
  void keep(const Fd& netns) {
    ASSERT_TRUE(kernel::forget_netns("/run/netns/gwt-far"));
    ASSERT_TRUE(kernel::keep_netns(netns.get(), "/run/netns/gwt-far"));
  }

  static bool has_tables() {
    FILE* tables = popen("nft list tables", "r");
    char line[256] = "";
    const bool any = fgets(line, sizeof line, tables) != nullptr;
    pclose(tables);
    return any;
  }

  static constexpr const char* kIpv6OfNew = "net/ipv6/conf/default/disable_ipv6";
  Fd host_;
  std::unique_ptr<kernel::NetnsScope> inside_;
};

TEST_F(Ties, AHostBehindABridgeIsReachedUntilItIsDetached) {
  const Tenant red = make_tenant("red");
  add_bridge("br0");
  const Fd far = add_far("port0", 0x0a000032, 24);  // 10.0.0.50
  keep(far);
  {
    auto netlink = kernel::Netlink::open();
    kernel::Batch batch;
    batch.master(netlink->link("port0")->ifindex, netlink->link("br0")->ifindex);
    ASSERT_TRUE(netlink->run(batch));
  }
  const Server server("/run/netns/gwt-far", "far");
  const auto tied = net().attach_bridge(red.vpc, red.subnet, "br0", 0);
  ASSERT_TRUE(tied) << tied.error().describe();
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.50"), "far 10.0.0.4");
  ASSERT_TRUE(net().detach_vpc(red.vpc, red.subnet));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.50"), "");
  EXPECT_EQ(net().attach_bridge(red.vpc, red.subnet, "no-bridge", 0).error().kind, Kind::not_found);
  EXPECT_EQ(net().attach_bridge(red.vpc, red.subnet, "br0", 4095).error().kind, Kind::invalid);
  ASSERT_TRUE(kernel::forget_netns("/run/netns/gwt-far"));
}

TEST_F(Ties, OneVlanJoinsTwoVpcsAndAnotherDoesNot) {
  const Tenant red = make_tenant("red");
  const Tenant blue = make_tenant("blue", "10.0.0.0/24", "10.0.0.20", "10.0.0.5");
  add_bridge("br0");
  ASSERT_TRUE(net().attach_bridge(red.vpc, red.subnet, "br0", 5));
  ASSERT_TRUE(net().attach_bridge(blue.vpc, blue.subnet, "br0", 6));
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.20"), "");
  ASSERT_TRUE(net().attach_bridge(blue.vpc, blue.subnet, "br0", 5));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.20"), "blue 10.0.0.4");
}

TEST_F(Ties, ATieSaidAgainIsLeftAloneAndAnotherOneReplacesIt) {
  const Tenant red = make_tenant("red");
  add_bridge("br0");
  add_bridge("br1");
  const Names names(options_.instance, options_.run_dir);
  auto netlink = kernel::Netlink::open();
  const auto tie = [&](const std::string& bridge, int vlan) {
    const auto tied = net().attach_bridge(red.vpc, red.subnet, bridge, vlan);
    EXPECT_TRUE(tied) << tied.error().describe();
    const auto link = netlink->link(names.uplink(red.subnet));
    EXPECT_TRUE(link && link->up && link->master == netlink->link(bridge)->ifindex);
    return link ? link->ifindex : 0;
  };
  const uint32_t first = tie("br0", 5);
  EXPECT_EQ(tie("br0", 5), first);
  close();
  open();
  EXPECT_EQ(tie("br0", 5), first);
  const uint32_t other_vlan = tie("br0", 6);
  EXPECT_NE(other_vlan, first);
  const uint32_t other_bridge = tie("br1", 6);
  EXPECT_NE(other_bridge, other_vlan);
  // What somebody pulled out is plugged in again.
  kernel::Batch pull;
  pull.master(other_bridge, 0);
  ASSERT_TRUE(netlink->run(pull));
  tie("br1", 6);

  const Fd vpc = std::move(*kernel::open_netns(names.vpc_netns(red.vpc)));
  auto inside = kernel::Netlink::open_in(vpc.get());
  const auto tunnel = [&](uint32_t vni, const std::string& remote) {
    const auto tied = net().attach_vxlan(red.vpc, red.subnet, vni, remote);
    EXPECT_TRUE(tied) << tied.error().describe();
    const auto link = inside->link(Names::vxlan_port(red.subnet));
    EXPECT_TRUE(link && link->up);
    return link ? link->ifindex : 0;
  };
  const uint32_t made = tunnel(4711, "127.0.0.7");
  EXPECT_FALSE(netlink->link(names.uplink(red.subnet)));
  EXPECT_EQ(tunnel(4711, "127.0.0.7"), made);
  const uint32_t other_vni = tunnel(4712, "127.0.0.7");
  EXPECT_NE(other_vni, made);
  EXPECT_NE(tunnel(4712, "127.0.0.8"), other_vni);
  tie("br0", 0);
  EXPECT_FALSE(inside->link(Names::vxlan_port(red.subnet)));
}

TEST_F(Ties, AHostBehindAVxlanIsReachedWithAClampedMss) {
  const Tenant red = make_tenant("red");
  const Fd far = add_far("under0", 0xc0a84d02, 24);  // 192.168.77.2
  keep(far);
  {
    auto netlink = kernel::Netlink::open();
    kernel::Batch batch;
    batch.address(netlink->link("under0")->ifindex, 0xc0a84d01, 24);
    ASSERT_TRUE(netlink->run(batch));
    auto there = kernel::Netlink::open_in(far.get());
    kernel::Batch vxlan;
    vxlan.vxlan({.name = "vx0"}, 4711, 0xc0a84d01, 4789);
    vxlan.up("vx0");
    ASSERT_TRUE(there->run(vxlan));
    kernel::Batch address;
    address.address(there->link("vx0")->ifindex, 0x0a00003c, 24);  // 10.0.0.60
    ASSERT_TRUE(there->run(address));
  }
  const Server server("/run/netns/gwt-far", "far");
  const auto tied = net().attach_vxlan(red.vpc, red.subnet, 4711, "192.168.77.2");
  ASSERT_TRUE(tied) << tied.error().describe();
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  const Connection made = connect_from(slot.netns.get(), "10.0.0.60", 7000);
  ASSERT_EQ(made.error, 0);
  EXPECT_EQ(read_some(made.socket.get()), "far 10.0.0.4");
  // Full-sized segments there and back.
  const std::string text(20'000, 'v');
  ASSERT_EQ(send(made.socket.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  std::string back;
  for (std::string part; !(part = read_some(made.socket.get())).empty();) {
    back += part;
    if (back.size() == text.size()) break;
  }
  EXPECT_EQ(back, text);
  ASSERT_TRUE(net().detach_vpc(red.vpc, red.subnet));
  EXPECT_EQ(net().attach_vxlan(red.vpc, red.subnet, 0, "192.168.77.2").error().kind, Kind::invalid);
  EXPECT_EQ(net().attach_vxlan(red.vpc, red.subnet, 1, "nowhere").error().kind, Kind::invalid);
  ASSERT_TRUE(kernel::forget_netns("/run/netns/gwt-far"));
}

TEST_F(Ties, OutsideGoesByTheHostsRouteAndNeverToTheHost) {
  close();
  ASSERT_TRUE(FunctionNetwork::purge(options_));
  options_.outside_netns = "";
  const Fd far = add_far("up0", 0xc0000202, 24);  // 192.0.2.2
  keep(far);
  {
    auto netlink = kernel::Netlink::open();
    kernel::Batch batch;
    const uint32_t up0 = netlink->link("up0")->ifindex;
    batch.address(up0, 0xc0000201, 24);
    batch.default_route(up0, 0xc0000202);
    ASSERT_TRUE(netlink->run(batch));
    auto there = kernel::Netlink::open_in(far.get());
    kernel::Batch address;
    address.address(1, 0x08080808, 32);  // 8.8.8.8
    ASSERT_TRUE(there->run(address));
  }
  ASSERT_TRUE(kernel::write_sysctl("net/ipv4/ip_forward", "0"));
  ASSERT_TRUE(kernel::write_sysctl(kIpv6OfNew, "0"));
  open();
  ASSERT_TRUE(net().ensure_gateway(gateway_, driver()));
  wait_until_it_serves();
  ensure_outside();
  EXPECT_EQ(*kernel::read_sysctl(kIpv6OfNew), "0");
  EXPECT_EQ(*kernel::read_sysctl("net/ipv6/conf/gwt-out/disable_ipv6"), "1");
  const Server server("/run/netns/gwt-far", "world");
  const Fd on_host = socket_in(host_.get(), AF_INET, SOCK_STREAM);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(9120);
  ASSERT_EQ(bind(on_host.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
  ASSERT_EQ(listen(on_host.get(), 8), 0);

  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, "outside", ""));
  EXPECT_EQ(greeting(slot.netns.get(), "8.8.8.8"), "world 192.0.2.1");
  EXPECT_EQ(ask_udp(slot.netns.get(), "192.0.2.2"), "world 192.0.2.1");
  EXPECT_NE(connect_from(slot.netns.get(), "192.0.2.1", 9120, 300).error, 0);
  EXPECT_NE(connect_from(slot.netns.get(), "100.127.255.1", 9120, 300).error, 0);
  // The world does not get in either.
  EXPECT_NE(connect_from(far.get(), "100.127.255.2", 9120, 300).error, 0);
  EXPECT_EQ(*kernel::read_sysctl("net/ipv4/ip_forward"), "1");

  close();
  const auto purged = FunctionNetwork::purge(options_);
  ASSERT_TRUE(purged) << purged.error().describe();
  EXPECT_EQ(*kernel::read_sysctl("net/ipv4/ip_forward"), "0");
  EXPECT_FALSE(has_tables());
  ASSERT_TRUE(kernel::forget_netns("/run/netns/gwt-far"));
}

TEST_F(Ties, OutsideFollowsItsSetting) {
  const auto reopen = [this](const std::string& outside) {
    close();
    options_.outside_netns = outside;
    open();
    ensure_outside();
  };
  const Fd elsewhere = std::move(*kernel::make_netns());
  keep(elsewhere);
  auto host = kernel::Netlink::open();
  auto there = kernel::Netlink::open_in(elsewhere.get());
  ASSERT_TRUE(kernel::write_sysctl("net/ipv4/ip_forward", "0"));
  reopen("");
  EXPECT_TRUE(host->link("gwt-out"));
  EXPECT_TRUE(has_tables());
  reopen("gwt-far");
  EXPECT_FALSE(host->link("gwt-out"));
  EXPECT_TRUE(there->link("gwt-out"));
  EXPECT_FALSE(has_tables());
  EXPECT_EQ(*kernel::read_sysctl("net/ipv4/ip_forward"), "0");
  reopen("");
  EXPECT_TRUE(host->link("gwt-out"));
  EXPECT_FALSE(there->link("gwt-out"));
  reopen("none");
  EXPECT_FALSE(host->link("gwt-out"));
  EXPECT_FALSE(has_tables());
  EXPECT_EQ(*kernel::read_sysctl("net/ipv4/ip_forward"), "0");
  // Purge asks nobody what the setting was.
  reopen("");
  close();
  options_.outside_netns = "none";
  ASSERT_TRUE(FunctionNetwork::purge(options_));
  EXPECT_FALSE(has_tables());
  EXPECT_EQ(*kernel::read_sysctl("net/ipv4/ip_forward"), "0");
  ASSERT_TRUE(kernel::forget_netns("/run/netns/gwt-far"));
}

TEST_F(Ties, AHostThatIsHalfMadeIsMadeAnew) {
  Tenant red = make_tenant("red");
  red.server.reset();
  // As a warden that was killed leaves it: the pair is there, and nothing in the host's namespace.
  auto room = kernel::Netlink::open_in(kernel::open_netns(options_.run_dir + "/netns/gwt-vpc-vpc-red")->get());
  const std::string port = Names::host_port(red.host);
  const Fd inside = netns_of(red.host);
  kernel::Batch batch;
  batch.remove(port);
  batch.veth({.name = port, .netns = -1, .ifindex = 0, .mac = {}, .mtu = 0},
             {.name = "eth0", .netns = inside.get(), .ifindex = 0, .mac = {}, .mtu = 0});
  batch.up(port);
  ASSERT_TRUE(room->run(batch));
  ASSERT_TRUE(net().add_vpc_host(red.vpc, red.subnet, red.host, "10.0.0.10"));
  const Server server(host_netns(red.host), "red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
}

TEST_F(Ties, OneVpcDetachesNothingOfAnother) {
  const Tenant red = make_tenant("red");
  const Tenant blue = make_tenant("blue");
  add_bridge("br0");
  ASSERT_TRUE(net().attach_bridge(red.vpc, red.subnet, "br0", 0));
  const std::string uplink = Names("gwt", options_.run_dir).uplink(red.subnet);
  ASSERT_TRUE(kernel::Netlink::open()->link(uplink));
  EXPECT_TRUE(net().detach_vpc(blue.vpc, red.subnet));
  EXPECT_TRUE(net().delete_subnet(blue.vpc, red.subnet));
  EXPECT_TRUE(kernel::Netlink::open()->link(uplink));
  EXPECT_TRUE(net().detach_vpc(red.vpc, red.subnet));
  EXPECT_FALSE(kernel::Netlink::open()->link(uplink));
}

TEST_F(Ties, AnAddressOrVniThatIsTakenIsToldOf) {
  const Tenant red = make_tenant("red");
  const Tenant blue = make_tenant("blue");
  std::optional<Result<AttachmentInfo>> second;
  net().ensure_attachment(gateway_, "second", red.vpc, red.subnet, "10.0.0.4",
                          [&second](Result<AttachmentInfo> info) { second = std::move(info); });
  ASSERT_TRUE(second);
  ASSERT_FALSE(*second);
  EXPECT_EQ(second->error().kind, Kind::conflict);
  ASSERT_TRUE(net().attach_vxlan(red.vpc, red.subnet, 42, "192.0.2.1"));
  const auto taken = net().attach_vxlan(blue.vpc, blue.subnet, 42, "192.0.2.1");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, Kind::conflict);
  EXPECT_TRUE(taken.error().message.contains("VNI 42")) << taken.error().message;
}

TEST_F(Ties, ANewWardenListsWhatThereIsUntilItIsDeleted) {
  Tenant red = make_tenant("red");
  ASSERT_TRUE(net().ensure_policy("p", {{.protocol = -1}}));
  close();
  open();
  const auto list = [this](FunctionNetwork::Thing thing) {
    std::vector<std::string> names;
    const auto listed = net().list(thing);
    EXPECT_TRUE(listed);
    if (listed)
      for (const auto& named : *listed) names.push_back(named.vpc.str() + "/" + named.name);
    return names;
  };
  using Thing = FunctionNetwork::Thing;
  const std::vector<std::string> none;
  EXPECT_EQ(list(Thing::attachment), std::vector{"/" + red.attachment});
  EXPECT_EQ(list(Thing::host), std::vector{"/" + red.host});
  EXPECT_EQ(list(Thing::policy), std::vector{std::string("/p")});
  EXPECT_EQ(list(Thing::subnet), std::vector{red.vpc.str() + "/" + red.subnet.str()});
  EXPECT_EQ(list(Thing::vpc), std::vector{"/" + red.vpc.str()});
  red.server.reset();
  EXPECT_TRUE(net().delete_vpc_host(red.host));
  EXPECT_TRUE(net().delete_attachment(red.attachment));
  EXPECT_TRUE(net().delete_policy("p"));
  EXPECT_TRUE(net().delete_subnet(red.vpc, red.subnet));
  EXPECT_TRUE(net().delete_vpc(red.vpc));
  for (const Thing thing : {Thing::attachment, Thing::host, Thing::policy, Thing::subnet, Thing::vpc})
    EXPECT_EQ(list(thing), none);
}

TEST_F(Ties, WhatIsInUseIsNotDeletedAndWhatIsNotIs) {
  Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  EXPECT_EQ(net().delete_attachment(red.attachment).error().kind, Kind::conflict);
  EXPECT_EQ(net().delete_subnet(red.vpc, red.subnet).error().kind, Kind::conflict);
  EXPECT_EQ(net().delete_vpc(red.vpc).error().kind, Kind::conflict);
  EXPECT_EQ(net().add_vpc_host(red.vpc, red.subnet, "gwt-other", "10.0.0.4").error().kind, Kind::conflict);
  EXPECT_EQ(net().add_vpc_host(red.vpc, red.subnet, red.host, "10.0.0.11").error().kind, Kind::conflict);
  EXPECT_EQ(net().add_vpc_host(red.vpc, red.subnet, "gwt-other", "10.0.1.4").error().kind, Kind::invalid);
  EXPECT_EQ(net().ensure_subnet(red.vpc, red.subnet, "10.0.0.0/25").error().kind, Kind::conflict);
  // Said again they change nothing.
  EXPECT_TRUE(net().ensure_subnet(red.vpc, red.subnet, "10.0.0.0/24"));
  EXPECT_TRUE(net().add_vpc_host(red.vpc, red.subnet, red.host, "10.0.0.10"));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");

  ASSERT_TRUE(net().unbind(slot));
  EXPECT_TRUE(net().delete_attachment(red.attachment));
  EXPECT_TRUE(net().delete_attachment(red.attachment));
  red.server.reset();
  EXPECT_TRUE(net().delete_vpc_host(red.host));
  EXPECT_TRUE(net().delete_subnet(red.vpc, red.subnet));
  EXPECT_TRUE(net().delete_vpc(red.vpc));
  // And all of it can be made once more.
  const Tenant again = make_tenant("red");
  ASSERT_TRUE(net().bind(slot, again.attachment, ""));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
}

}  // namespace
}  // namespace hearth::gateway::test
