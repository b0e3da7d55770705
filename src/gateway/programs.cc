#include "gateway/programs.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>

#include "gateway/names.h"
#include "kernel/bpf.h"
#include "kernel/netns.h"

// The skeleton is C and names structs without their namespace.
#include "gateway/function_network.skel.h"

namespace hearth::gateway {
namespace {

// Recalls a map of names; `visit` gets each.
template <typename Value, typename Visit>
Result<> each_named(int map, Visit visit) {
  for (const auto& key : kernel::map_keys<name>(map)) {
    Value value{};
    TRY(kernel::map_get(map, key, value));
    visit(text_of(key), value);
  }
  return {};
}

policy compiled(const std::vector<Rule>& egress, uint32_t version) {
  policy compiled{};
  compiled.version = version;
  for (const Rule& rule : egress) {
    policy_rule& out = compiled.rules[compiled.count++];
    out.mask = rule.prefix_length == 0 ? 0 : ~uint32_t{0} << (32 - rule.prefix_length);
    out.address = rule.address & out.mask;
    out.from_port = rule.from_port;
    out.to_port = rule.to_port;
    out.any_protocol = rule.protocol < 0;
    out.protocol = rule.protocol < 0 ? 0 : static_cast<uint8_t>(rule.protocol);
    if (out.any_protocol && out.mask == 0) compiled.allow_all = 1;
  }
  return compiled;
}

Result<> check_rules(const std::vector<Rule>& egress) {
  if (egress.size() > kMaxPolicyRules) return fail(Kind::invalid, "a policy has at most 1000 rules");
  for (const Rule& rule : egress) {
    if (rule.prefix_length < 0 || rule.prefix_length > 32 || rule.protocol < -1 || rule.protocol > 255)
      return fail(Kind::invalid, "egress rule of a wrong shape");
  }
  return {};
}

}  // namespace

uint64_t pack(const Binding& binding) {
  return uint64_t{binding.generation} | uint64_t{binding.tag} << kTagShift |
         uint64_t{binding.gateway} << kGatewayShift | uint64_t{binding.peer} << kPeerShift |
         uint64_t{binding.policy} << kPolicyShift;
}

Binding unpack(uint64_t word) {
  return {.generation = static_cast<uint32_t>(word),
          .tag = static_cast<uint16_t>(word >> kTagShift & 0xfff),
          .gateway = static_cast<uint8_t>(word >> kGatewayShift & 0xf),
          .peer = (word >> kPeerShift & 1) != 0,
          .policy = static_cast<uint32_t>(word >> kPolicyShift & 0x3ff)};
}

name as_name(const std::string& text) {
  name fixed{};
  std::copy_n(text.data(), std::min<size_t>(text.size(), kNameSize), fixed.text);
  return fixed;
}

std::string text_of(const name& text) { return std::string(text.text, strnlen(text.text, kNameSize)); }

Result<std::unique_ptr<Programs>> Programs::open(const std::string& pins) {
  kernel::quiet_libbpf();
  TRY(kernel::make_directories(pins));
  function_network_bpf* skeleton = function_network_bpf__open();
  if (skeleton == nullptr) return fail_errno("open BPF object");
  std::unique_ptr<Programs> programs(new Programs(skeleton));
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    const std::string map_name = bpf_map__name(map);
    if (map_name.find('.') != std::string::npos) continue;  // an inner map's template
    if (bpf_map__set_pin_path(map, (pins + "/" + map_name).c_str()) != 0) return fail_errno("set pin path");
  }
  if (const int error = function_network_bpf__load(skeleton); error != 0)
    return fail_errno("load function network programs (" + kernel::libbpf_words() + ")", -error);
  TRY(programs->map_bindings());
  TRY(programs->recall());
  return programs;
}

Programs::~Programs() {
  if (bindings_ != nullptr) munmap(bindings_, kMaxSlots * sizeof(uint64_t));
  function_network_bpf__destroy(skeleton_);
}

Result<> Programs::recall() {
  const auto& maps = skeleton_->maps;
  TRY(each_named<attachment_record>(bpf_map__fd(maps.attachment_names),
                                    [this](const std::string& key, const auto& value) { attachments_[key] = value; }));
  TRY(each_named<uint32_t>(bpf_map__fd(maps.gateway_names), [this](const std::string& key, uint32_t value) {
    gateways_[key] = {.number = value & ~kIsMachine, .is_machine = (value & kIsMachine) != 0};
  }));
  return each_named<uint32_t>(bpf_map__fd(maps.policy_names),
                              [this](const std::string& key, uint32_t value) { policies_[key] = value; });
}

Result<> Programs::map_bindings() {
  void* shared = mmap(nullptr, kMaxSlots * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                      bpf_map__fd(skeleton_->maps.bindings), 0);
  if (shared == MAP_FAILED) return fail_errno("mmap bindings");
  bindings_ = static_cast<uint64_t*>(shared);
  return {};
}

void Programs::bind(uint32_t place, const Binding& binding) const {
  std::atomic_ref(bindings_[place]).store(pack(binding), std::memory_order_release);
}

void Programs::unbind(uint32_t place) const { std::atomic_ref(bindings_[place]).store(0, std::memory_order_seq_cst); }

std::optional<Binding> Programs::binding_of(uint32_t place) const {
  const uint64_t word = std::atomic_ref(bindings_[place]).load(std::memory_order_relaxed);
  if (word == 0) return std::nullopt;
  return unpack(word);
}

std::vector<uint32_t> Programs::bound() const {
  std::vector<uint32_t> places;
  for (uint32_t place = 0; place < kMaxSlots; ++place) {
    if (binding_of(place)) places.push_back(place);
  }
  return places;
}

Result<uint32_t> Programs::next_serial() const {
  const int map = bpf_map__fd(skeleton_->maps.serials);
  const uint32_t zero = 0;
  uint32_t serial = 0;
  TRY(kernel::map_get(map, zero, serial));
  ++serial;
  if (serial == 0) serial = 1;
  TRY(kernel::map_put(map, zero, serial));
  return serial;
}

// ---- policies ---------------------------------------------------------------------------------------------------

Result<> Programs::set_policy(const std::string& policy_name, const std::vector<Rule>& egress) {
  TRY(check_name("policy", policy_name));
  TRY(check_rules(egress));
  auto found = policies_.find(policy_name);
  uint32_t index = found != policies_.end() ? found->second : 0;
  if (index == 0) {
    std::set<uint32_t> used;
    for (const auto& [other, place] : policies_) used.insert(place);
    for (index = 1; used.contains(index);) ++index;
    if (index >= kMaxPolicies) return fail(Kind::exhausted, "at most 1023 policies");
  }
  TRY_ASSIGN(const uint32_t version, next_serial());
  Fd rules(bpf_map_create(BPF_MAP_TYPE_ARRAY, "policy", sizeof(uint32_t), sizeof(policy), 1, nullptr));
  if (!rules.valid()) return fail_errno("make policy map");
  const uint32_t zero = 0;
  TRY(kernel::map_put(rules.get(), zero, compiled(egress, version)));
  // The whole policy changes at once: packets see the old rules or the new.
  const int fd = rules.get();
  TRY(kernel::map_put(bpf_map__fd(skeleton_->maps.policies), index, fd));
  TRY(kernel::map_put(bpf_map__fd(skeleton_->maps.policy_names), as_name(policy_name), index));
  policies_[policy_name] = index;
  return {};
}

Result<> Programs::remove_policy(const std::string& policy_name) {
  const auto found = policies_.find(policy_name);
  if (found == policies_.end()) return {};
  const uint32_t index = found->second;
  TRY(kernel::map_remove(bpf_map__fd(skeleton_->maps.policy_names), as_name(policy_name)));
  TRY(kernel::map_remove(bpf_map__fd(skeleton_->maps.policies), index));
  policies_.erase(found);
  return {};
}

Result<uint32_t> Programs::policy_index(const std::string& policy_name) const {
  if (policy_name.empty()) return 0;
  const auto found = policies_.find(policy_name);
  if (found == policies_.end()) return fail(Kind::unavailable, "no policy " + policy_name);
  return found->second;
}

// ---- registry ---------------------------------------------------------------------------------------------------

Result<> Programs::put_attachment(const std::string& key, const attachment_record& record) {
  TRY(kernel::map_put(bpf_map__fd(skeleton_->maps.attachment_names), as_name(key), record));
  attachments_[key] = record;
  return {};
}

Result<> Programs::drop_attachment(const std::string& key) {
  TRY(kernel::map_remove(bpf_map__fd(skeleton_->maps.attachment_names), as_name(key)));
  attachments_.erase(key);
  return {};
}

Result<> Programs::put_gateway(const std::string& key, GatewayRecord gateway) {
  const uint32_t value = gateway.number | (gateway.is_machine ? kIsMachine : 0);
  TRY(kernel::map_put(bpf_map__fd(skeleton_->maps.gateway_names), as_name(key), value));
  gateways_[key] = gateway;
  return {};
}

Result<> Programs::put_uplink_vlan(uint32_t ifindex, uint32_t vlan) const {
  return kernel::map_put(bpf_map__fd(skeleton_->maps.uplink_vlans), ifindex, vlan);
}

Result<> Programs::drop_uplink_vlan(uint32_t ifindex) const {
  return kernel::map_remove(bpf_map__fd(skeleton_->maps.uplink_vlans), ifindex);
}

Result<json::object> Programs::counters(uint32_t tag) const {
  std::vector<slot_counters> each(static_cast<size_t>(kernel::possible_cpus()));
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.slot_counts), &tag, each.data()) != 0)
    return fail_errno("read counters");
  slot_counters sum{};
  for (const auto& one : each) {
#define HEARTH_ADD(field) sum.field += one.field;
    HEARTH_SLOT_COUNTERS(HEARTH_ADD)
#undef HEARTH_ADD
  }
  json::object counters;
#define HEARTH_NAME(field) counters["slot_" #field] = sum.field;
  HEARTH_SLOT_COUNTERS(HEARTH_NAME)
#undef HEARTH_NAME
  return counters;
}

int Programs::container_out() const { return bpf_program__fd(skeleton_->progs.container_out); }
int Programs::gateway_return() const { return bpf_program__fd(skeleton_->progs.gateway_return); }
int Programs::trunk_in() const { return bpf_program__fd(skeleton_->progs.trunk_in); }
int Programs::port_in() const { return bpf_program__fd(skeleton_->progs.port_in); }
int Programs::uplink_in() const { return bpf_program__fd(skeleton_->progs.uplink_in); }
int Programs::uplink_out() const { return bpf_program__fd(skeleton_->progs.uplink_out); }

}  // namespace hearth::gateway
