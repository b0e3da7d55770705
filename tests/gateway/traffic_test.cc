// What must pass: TCP, UDP and ping from containers through the gateway, and only the gateway's address is seen.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "tests/gateway/world.h"

namespace hearth::gateway::test {
namespace {

class Traffic : public World {};

TEST_F(Traffic, TwoVpcsWithTheSameRangeEachAnswerTheirOwn) {
  const Tenant red = make_tenant("red");
  const Tenant blue = make_tenant("blue");
  const Slot first = make_slot(), second = make_slot();
  ASSERT_TRUE(net().bind(first, red.attachment, ""));
  ASSERT_TRUE(net().bind(second, blue.attachment, ""));
  EXPECT_EQ(greeting(first.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_EQ(greeting(second.netns.get(), "10.0.0.10"), "blue 10.0.0.4");
  EXPECT_EQ(ask_udp(first.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_EQ(ask_udp(second.netns.get(), "10.0.0.10"), "blue 10.0.0.4");
  EXPECT_TRUE(ping(first.netns.get(), "10.0.0.10"));
}

TEST_F(Traffic, TheFirstPacketOfAllIsNotLost) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  // The gateway knows the router only: it has to ask for the host while the datagram waits.
  EXPECT_EQ(ask_udp(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_EQ(red.server->datagrams(), 1);
  EXPECT_EQ(counter(red.attachment, "neighbour_misses"), 1);
  EXPECT_EQ(counter("", "neighbour_misses"), 0);
  EXPECT_GE(counter("", "sent_after_wait"), 1);
}

TEST_F(Traffic, ContainersOfOneSubnetShareItsAddress) {
  const Tenant red = make_tenant("red");
  std::vector<Slot> slots;
  for (int i = 0; i < 8; ++i) {
    slots.push_back(make_slot());
    ASSERT_TRUE(net().bind(slots.back(), red.attachment, ""));
  }
  for (const Slot& slot : slots) EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_EQ(counter(red.attachment, "blocks_given"), 8);
}

TEST_F(Traffic, AMebibyteComesBackWhole) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  Connection made = connect_from(slot.netns.get(), "10.0.0.10", 7000);
  ASSERT_EQ(made.error, 0);
  ASSERT_EQ(read_some(made.socket.get()), "red 10.0.0.4");
  std::string sent(1 << 20, '\0');
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761u >> 13);
  std::string received;
  size_t written = 0;
  while (received.size() < sent.size()) {
    if (written < sent.size()) {
      const ssize_t put = send(made.socket.get(), sent.data() + written, std::min<size_t>(sent.size() - written, 65536),
                               MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put > 0) written += static_cast<size_t>(put);
    }
    const std::string part = read_some(made.socket.get(), written < sent.size() ? 1 : 1000);
    if (part.empty() && written == sent.size()) break;
    received += part;
  }
  EXPECT_EQ(received.size(), sent.size());
  EXPECT_TRUE(received == sent);
}

TEST_F(Traffic, ARefusedPortIsToldToTheContainer) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  EXPECT_EQ(connect_from(slot.netns.get(), "10.0.0.10", 7001).error, ECONNREFUSED);
  // UDP learns it by an ICMP error, whose inner packet must have its own addresses back.
  const Fd client = socket_in(slot.netns.get(), AF_INET, SOCK_DGRAM);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(7001);
  inet_pton(AF_INET, "10.0.0.10", &to.sin_addr);
  ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  send(client.get(), "x", 1, 0);
  pollfd polled{client.get(), POLLIN, 0};
  poll(&polled, 1, 1000);
  char byte;
  EXPECT_EQ(recv(client.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(counter(red.attachment, "icmp_errors_in"), 1);
}

TEST_F(Traffic, OutsideLeadsIntoTheNamedNamespace) {
  close();
  ASSERT_TRUE(FunctionNetwork::purge(options_));
  auto world = kernel::make_netns();
  ASSERT_TRUE(world);
  ASSERT_TRUE(kernel::make_directories("/run/netns"));
  ASSERT_TRUE(kernel::forget_netns("/run/netns/gwt-world"));
  ASSERT_TRUE(kernel::keep_netns(world->get(), "/run/netns/gwt-world"));
  options_.outside_netns = "gwt-world";
  open();
  ASSERT_TRUE(net().ensure_gateway(gateway_, "netns"));
  const AttachmentInfo info = ensure_outside();
  EXPECT_EQ(info.address, "100.127.255.2");
  {
    auto inside = kernel::NetnsScope::enter(world->get());
    auto netlink = kernel::Netlink::open();
    kernel::Batch batch;
    batch.up(1);
    batch.address(1, 0x08080808, 32);  // 8.8.8.8 on lo: somewhere outside
    ASSERT_TRUE(netlink->run(batch));
  }
  const Server far("/run/netns/gwt-world", "world");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, "outside", ""));
  EXPECT_EQ(greeting(slot.netns.get(), "8.8.8.8"), "world 100.127.255.2");
  ASSERT_TRUE(kernel::forget_netns("/run/netns/gwt-world"));
}

TEST_F(Traffic, OutsideNoneDropsAndCounts) {
  AttachmentInfo info;
  net().ensure_outside(gateway_, [&](Result<AttachmentInfo> result) { info = *result; });
  for (int i = 0; i < 200 && info.tag == 0; ++i) pump(10);
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, "outside", ""));
  EXPECT_EQ(ask_udp(slot.netns.get(), "8.8.8.8", 53, 50), "");
  EXPECT_EQ(counter("outside", "dropped_no_outside"), 1);
}

}  // namespace
}  // namespace hearth::gateway::test
