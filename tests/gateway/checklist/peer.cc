#include "tests/gateway/checklist/peer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <chrono>
#include <cstdlib>

#include "kernel/netlink.h"
#include "kernel/netns.h"

namespace hearth::gateway::test {
namespace {

constexpr const char* kSilence =
    "nft 'table ip silent { chain in { type filter hook prerouting priority -400; policy drop; }; }'";

}  // namespace

int run_in(int netns, const std::string& command) {
  auto inside = kernel::NetnsScope::enter(netns);
  EXPECT_TRUE(inside);
  return std::system(command.c_str());
}

Peer::Peer(Fd netns, std::string address, std::string hop_mac)
    : netns_(std::move(netns)), address_(std::move(address)), hop_mac_(std::move(hop_mac)) {
  EXPECT_EQ(run_in(netns_.get(), kSilence), 0);
  auto netlink = kernel::Netlink::open_in(netns_.get());
  const auto link = netlink->link(std::string("eth0"));
  EXPECT_TRUE(link);
  if (!link) return;
  mac_ = kernel::to_string(link->mac);
  auto inside = kernel::NetnsScope::enter(netns_.get());
  socket_ = packet_socket(link->ifindex);
}

Packet Peer::udp(uint16_t port, const Peer& to, uint16_t to_port) const {
  Packet packet;
  packet.source = address_;
  packet.destination = to.address_;
  packet.source_port = port;
  packet.destination_port = to_port;
  return packet;
}

Packet Peer::tcp(uint16_t port, const Peer& to, uint16_t to_port, uint8_t flags, uint32_t seq, uint32_t ack) const {
  Packet packet = udp(port, to, to_port);
  packet.protocol = IPPROTO_TCP;
  packet.tcp_flags = flags;
  packet.seq = seq;
  packet.ack = ack;
  packet.payload = "";
  return packet;
}

Packet Peer::data(uint16_t port, const Peer& to, uint16_t to_port, const std::string& text, uint32_t seq,
                  uint32_t ack) const {
  Packet packet = tcp(port, to, to_port, kAck | kPush, seq, ack);
  packet.payload = text;
  return packet;
}

Packet Peer::echo(uint16_t id, const Peer& to) const {
  Packet packet = udp(id, to, 0);
  packet.protocol = IPPROTO_ICMP;
  return packet;
}

Packet Peer::error(uint8_t type, uint8_t code, const Packet& about) const {
  Packet packet;
  packet.source = address_;
  packet.destination = about.source;
  packet.protocol = IPPROTO_ICMP;
  packet.source_port = 0;
  packet.icmp_type = type;
  packet.icmp_code = code;
  packet.icmp_second = 0;
  packet.payload = build_ip(about);
  return packet;
}

Packet Peer::addressed(Packet packet) const {
  packet.source_mac = mac_;
  packet.destination_mac = hop_mac_;
  return packet;
}

void Peer::send(Packet packet) const { send_frame(build_untagged(addressed(std::move(packet)))); }

void Peer::send_frame(const std::string& frame) const { write_frame(socket_.get(), frame); }

std::optional<std::string> Peer::next_frame(int timeout_ms) const {
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
    uint32_t tag = 0;
    const std::string frame = read_frame(socket_.get(), tag, static_cast<int>(std::max<int64_t>(left, 0)));
    if (frame.empty()) return std::nullopt;
    if (frame.size() >= 34 && frame.substr(12, 2) == std::string("\x08\x00", 2)) return frame;
  }
}

std::optional<Packet> Peer::next(int timeout_ms) const {
  const auto frame = next_frame(timeout_ms);
  return frame ? parse(*frame, 0) : std::nullopt;
}

}  // namespace hearth::gateway::test
