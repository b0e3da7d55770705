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

class Programs {
 public:
  static Result<std::unique_ptr<Programs>> open(const std::string& pins);
  ~Programs();

  // ---- bindings
  Result<> bind(uint32_t ifindex, const binding& entry) const;
  Result<> unbind(uint32_t ifindex) const;
  Result<std::optional<binding>> binding_of(uint32_t ifindex) const;
  std::vector<uint32_t> bound() const;
  // 1…, never the same twice, also after a restart.
  Result<uint32_t> next_serial() const;

  // ---- policies
  Result<> set_policy(const std::string& name, const std::vector<Rule>& egress);
  Result<> remove_policy(const std::string& name);
  // 0 for "": all egress.
  Result<uint32_t> policy_index(const std::string& name) const;

  // ---- what survives the warden
  Result<> put_attachment(const std::string& name, const attachment_record& record);
  Result<> drop_attachment(const std::string& name);
  const std::map<std::string, attachment_record>& attachments() const { return attachments_; }
  Result<> put_gateway(const std::string& name, uint32_t number);
  const std::map<std::string, uint32_t>& gateways() const { return gateways_; }

  Result<> put_uplink_vlan(uint32_t ifindex, uint32_t vlan) const;
  Result<> drop_uplink_vlan(uint32_t ifindex) const;
  Result<json::object> counters(uint32_t tag) const;

  int container_out() const;
  int gateway_return() const;
  int uplink_in() const;
  int uplink_out() const;

 private:
  explicit Programs(function_network_bpf* skeleton) : skeleton_(skeleton) {}
  Result<> recall();

  function_network_bpf* skeleton_;
  int bindings_ = -1;
  std::map<std::string, attachment_record> attachments_;
  std::map<std::string, uint32_t> gateways_;
  std::map<std::string, uint32_t> policies_;
};

name as_name(const std::string& text);
std::string text_of(const name& text);

}  // namespace hearth::gateway
