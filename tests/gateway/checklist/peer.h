// Peer: one end of a path under test, whose packets a test writes and reads itself.
//
// Its namespace's own stack answers ARP and drops everything else unseen, so that only the test speaks.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "tests/gateway/packet.h"

namespace hearth::gateway::test {

constexpr int kPatienceMs = 10'000;  // for what has to come, on a machine that is busy

// What a shell's command ends with, run in the namespace; its output goes to the test's.
int run_in(int netns, const std::string& command);

class Peer {
 public:
  // `netns` has an interface eth0 with `address`, which is up. `hop_mac`: where its packets go.
  Peer(Fd netns, std::string address, std::string hop_mac);

  const std::string& address() const { return address_; }
  const std::string& mac() const { return mac_; }
  int netns() const { return netns_.get(); }

  // Templates of packets from here.
  Packet udp(uint16_t port, const Peer& to, uint16_t to_port) const;
  Packet tcp(uint16_t port, const Peer& to, uint16_t to_port, uint8_t flags, uint32_t seq = 1000,
             uint32_t ack = 0) const;
  // With a push, which no receiver holds back to join it with what follows.
  Packet data(uint16_t port, const Peer& to, uint16_t to_port, const std::string& text, uint32_t seq,
              uint32_t ack) const;
  Packet echo(uint16_t id, const Peer& to) const;
  // An ICMP error about a packet as it arrived here.
  Packet error(uint8_t type, uint8_t code, const Packet& about) const;

  void send(Packet packet) const;  // with the MACs of this end
  void send_frame(const std::string& frame) const;
  // The next IPv4 packet; nothing when none comes in time.
  std::optional<Packet> next(int timeout_ms = kPatienceMs) const;
  std::optional<std::string> next_frame(int timeout_ms = kPatienceMs) const;
  // Packets with these MACs, for what is built elsewhere.
  Packet addressed(Packet packet) const;

 private:
  Fd netns_, socket_;
  std::string address_, mac_, hop_mac_;
};

}  // namespace hearth::gateway::test
