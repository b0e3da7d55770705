// Subject: a gateway under test, whatever it is made of: the checklist's rows see only this.
//
// A VPC has two hosts, 10.0.0.10 and 10.0.0.11, and the gateway's address 10.0.0.4; all VPCs have the same addresses.
// Containers and VPCs live until clear(); the gateway itself lives as long as its Subject, for all rows.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/gateway/checklist/peer.h"

namespace hearth::gateway::test {

enum class Kind { oracle, netns, vm };

struct Vpc {
  std::string name;
  std::unique_ptr<Peer> host;   // 10.0.0.10
  std::unique_ptr<Peer> other;  // 10.0.0.11
};

constexpr const char* kExternal = "10.0.0.4";
// Towards this port of one host the subject has few ports where that can be said to it.
constexpr uint16_t kNarrowPort = 4444;

struct Limits {  // seconds
  int64_t udp_new, udp, tcp_established, tcp_transitory, tcp_reset, icmp, hold;
};

class Subject {
 public:
  virtual ~Subject() = default;
  virtual Kind kind() const = 0;
  virtual Vpc& make_vpc(const std::string& name) = 0;
  virtual Peer& make_container(Vpc& vpc) = 0;
  // Gone: what was its own is nobody's, and its address may be given again.
  virtual void remove_container(const Peer& container) = 0;
  virtual void clear() = 0;

  virtual Limits limits() = 0;
  // As if nothing had passed through the VPC's sessions for so long. False: nobody can turn this one's clock.
  virtual bool age(Vpc& vpc, uint32_t seconds) = 0;
  // Nothing where the subject counts none.
  virtual std::optional<int64_t> counter(Vpc& vpc, const std::string& name) = 0;
  // How many flows one container may have towards kNarrowPort of one host.
  virtual int narrow_ports() const = 0;
};

std::unique_ptr<Subject> make_oracle();
std::unique_ptr<Subject> make_hearth(Kind kind);

}  // namespace hearth::gateway::test
