// The gateway's programs between two wires: what goes in at one, what comes out at the other. No agent, no
// FunctionNetwork.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/agent/pat.h"
#include "kernel/netns.h"

namespace hearth::gateway::test {

// A packet as a test writes and reads it; numbers in host order.
struct Packet {
  uint32_t tag = 7;
  std::string source_mac = "02:64:00:00:00:01";
  std::string destination_mac = "02:64:00:00:00:00";
  std::string source = "100.64.1.0";
  std::string destination = "10.0.0.10";
  uint8_t protocol = 17;
  uint8_t ttl = 64;
  uint16_t fragment = 0;        // flags and offset
  uint8_t option_words = 0;     // of IP options (no operation)
  uint16_t source_port = 5000;  // ICMP: identifier
  uint16_t destination_port = 53;
  uint32_t seq = 0;
  uint8_t tcp_flags = 0;
  std::string tcp_options;
  uint8_t icmp_type = 8;
  uint8_t icmp_code = 0;
  std::string payload = "payload";
  bool no_checksum = false;  // UDP

  // Read only: were they right?
  bool ip_sum_good = false;
  bool sum_good = false;
};

uint32_t now_tick();
std::string build(const Packet& packet);     // with the tag in the frame
std::string build_ip(const Packet& packet);  // from the IP header on
std::optional<Packet> parse(const std::string& frame, uint32_t tag);

constexpr uint8_t kSyn = 2, kFin = 1, kReset = 4, kAck = 16;

class Wire : public testing::Test {
 protected:
  static constexpr uint32_t kTag = 7;
  void SetUp() override;
  void TearDown() override;

  void load(const timeouts& limits = default_timeouts());
  void attach(uint32_t tag = kTag, uint16_t mtu = 1500, uint32_t mask = 0xffffff00);  // 10.0.0.4
  void know(const std::string& address, uint32_t tag = kTag);                         // puts its MAC into the table

  void inside(const Packet& packet);   // a container sends
  void outside(const Packet& packet);  // a host of the VPC sends
  void outside_raw(const std::string& frame);
  std::optional<Packet> seen_outside();  // next packet on the trunk
  std::optional<Packet> seen_inside();   // next packet towards the containers
  std::string raw_outside();             // the same as bytes, without a tag
  // Sends from inside and returns what the VPC sees.
  std::optional<Packet> through(const Packet& packet);
  // What a host answers to `seen`.
  static Packet answer(const Packet& seen);
  gateway_counters counters(uint32_t tag = kTag);
  Fd table_of(const std::string& name);  // of kTag's attachment
  std::vector<std::pair<session_key, session>> sessions();
  // As if the sessions were last used so long ago.
  void age_sessions(uint32_t seconds);
  void drain();

  std::string pins_ = "/tmp/hearth-gwp";
  Fd netns_;
  Fd containers_, trunk_;  // packet sockets on the far ends
  std::unique_ptr<Pat> pat_;
  std::string mac_ = "06:00:00:00:00:07";
};

}  // namespace hearth::gateway::test
