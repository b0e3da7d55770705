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
#include "tests/gateway/packet.h"

namespace hearth::gateway::test {

uint32_t now_tick();

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
  std::string raw_inside();
  // Sends from inside and returns what the VPC sees.
  std::optional<Packet> through(const Packet& packet);
  gateway_counters counters(uint32_t tag = kTag);
  Fd table_of(const std::string& name);  // of kTag's attachment
  std::vector<std::pair<session_key, session>> sessions();
  // As if the sessions were last used so long ago.
  void age_sessions(uint32_t seconds);
  void drain();
  // A router of the VPC tells the gateway about a packet that is given from its IP header on.
  Packet error_from_outside(const std::string& about, uint8_t code = 1) const;

  std::string pins_ = "/tmp/hearth-gwp";
  Fd netns_;
  Fd containers_, trunk_;  // packet sockets on the far ends
  std::unique_ptr<Pat> pat_;
  std::string mac_ = "06:00:00:00:00:07";
};

}  // namespace hearth::gateway::test
