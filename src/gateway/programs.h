// Programs: the function network's BPF programs and pinned maps, and what those maps remember for the next warden.
//
// Attachments, policies and gateways are in maps that no program reads: a change is one atomic write, it survives the
// warden, and purge takes it away with the pins.
//
// Single-threaded.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/json.h"
#include "base/result.h"
#include "gateway/bpf/shared.h"
#include "gateway/function_network.h"
#include "kernel/netlink.h"

struct function_network_bpf;

namespace hearth::gateway {

// What a slot's packets may do; see bpf/shared.h for the word it becomes.
struct Binding {
  uint32_t generation = 0;  // never 0
  uint16_t tag = 0;
  uint8_t gateway = 0;
  bool peer = false;
  uint32_t policy = 0;
};
uint64_t pack(const Binding& binding);
Binding unpack(uint64_t word);

// What the next warden must know of a gateway.
struct GatewayRecord {
  uint32_t number = 0;
  bool is_machine = false;
};

class Programs {
 public:
  static Result<std::unique_ptr<Programs>> open(const std::string& pins);
  ~Programs();

  // ---- bindings
  // One store each; they can't fail. REQUIRES: place < kMaxSlots.
  void bind(uint32_t place, const Binding& binding) const;
  void unbind(uint32_t place) const;
  std::optional<Binding> binding_of(uint32_t place) const;
  std::vector<uint32_t> bound() const;  // places
  // 1…, never the same twice, also after a restart.
  Result<uint32_t> next_serial() const;

  // ---- policies
  Result<> set_policy(const std::string& name, const std::vector<Rule>& egress);
  // REQUIRES: no living slot is bound with it.
  Result<> remove_policy(const std::string& name);
  const std::map<std::string, uint32_t>& policies() const { return policies_; }
  // 0 for "": all egress.
  Result<uint32_t> policy_index(const std::string& name) const;

  // ---- what survives the warden
  Result<> put_attachment(const std::string& name, const attachment_record& record);
  Result<> drop_attachment(const std::string& name);
  const std::map<std::string, attachment_record>& attachments() const { return attachments_; }
  Result<> put_gateway(const std::string& name, GatewayRecord gateway);
  const std::map<std::string, GatewayRecord>& gateways() const { return gateways_; }

  Result<> put_uplink_vlan(uint32_t ifindex, uint32_t vlan) const;
  Result<> drop_uplink_vlan(uint32_t ifindex) const;
  Result<json::object> counters(uint32_t tag) const;

  int container_out() const;
  int gateway_return() const;
  int trunk_in() const;
  int port_in() const;
  int uplink_in() const;
  int uplink_out() const;

 private:
  explicit Programs(function_network_bpf* skeleton) : skeleton_(skeleton) {}
  Result<> recall();
  Result<> map_bindings();

  function_network_bpf* skeleton_;
  uint64_t* bindings_ = nullptr;  // of kMaxSlots, shared with the programs
  std::map<std::string, attachment_record> attachments_;
  std::map<std::string, GatewayRecord> gateways_;
  std::map<std::string, uint32_t> policies_;
};

name as_name(const std::string& text);
std::string text_of(const name& text);

}  // namespace hearth::gateway
