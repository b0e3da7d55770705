// The programs of the function network: what containers may send, and who gets what comes back.
//
//   container_out    ingress of each slot's host end     checks, policy, tag, to the gateway's NIC 0
//   gateway_return   ingress of the end of NIC 0         tag against the binding, to the slot
//   trunk_in         ingress of a machine's NIC 1    from the machine: the tag off, to the VPC port
//   port_in          ingress of a machine's VPC port from the VPC: the tag on, to the machine
//   uplink_in/out    ends of a VPC's tie to a bridge of the host: the VLAN tag there
//
// Nothing is ever passed up: this namespace has no address, and every verdict is a redirect or a drop.
#include "gateway/bpf/packet.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, kMaxSlots);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, __u64);
} bindings SEC(".maps");

// Sizes, not types: clang leaves structs that only an inner map names out of BTF.
struct policy_map {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct policy));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, kMaxPolicies);
  __type(key, __u32);
  __array(values, struct policy_map);
} policies SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, kPolicyVerdicts);
  __type(key, struct verdict_key);
  __type(value, __u32);
} verdicts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kTags);
  __type(key, __u32);
  __type(value, struct slot_counters);
} slot_counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, kTags);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, __u32);
} uplink_vlans SEC(".maps");

// What user space remembers between wardens; no program reads these.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, kTags);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct name);
  __type(value, struct attachment_record);
} attachment_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, kMaxPolicies);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct name);
  __type(value, __u32);
} policy_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, kMaxGateways);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct name);
  __type(value, __u32);
} gateway_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} serials SEC(".maps");

#define COUNT(tag, field)                                                      \
  do {                                                                         \
    __u32 count_key_ = (tag);                                                  \
    struct slot_counters* c_ = bpf_map_lookup_elem(&slot_counts, &count_key_); \
    if (c_) c_->field++;                                                       \
  } while (0)

#define DROP(tag, field) \
  do {                   \
    COUNT(tag, field);   \
    return TC_ACT_SHOT;  \
  } while (0)

// Loopback, link-local, the function network, "this" network, multicast and above: never through a gateway.
static __always_inline int is_forbidden(__u32 address) {
  __u32 first = address >> 24;
  return first == 0 || first == 127 || first >= 224 || (address >> 16) == 0xa9fe ||
         (address >> 22) == (0x64400000 >> 22);
}

static __always_inline int rule_allows(const struct policy_rule* rule, const struct verdict_key* key) {
  if ((key->address & rule->mask) != rule->address) return 0;
  if (rule->any_protocol) return 1;
  if (rule->protocol != key->protocol) return 0;
  if (key->protocol != IPPROTO_TCP && key->protocol != IPPROTO_UDP) return 1;
  return key->port >= rule->from_port && key->port <= rule->to_port;
}

struct scan {
  const struct policy* policy;
  const struct verdict_key* key;
  __u32 allowed;
};

static long scan_rule(__u32 index, struct scan* scan) {
  if (index >= kMaxPolicyRules || index >= scan->policy->count) return 1;
  if (!rule_allows(&scan->policy->rules[index], scan->key)) return 0;
  scan->allowed = 1;
  return 1;
}

__noinline int policy_allows(struct verdict_key* asked) {
  if (!asked) return 0;
  // Linux 6.1 takes no key from an argument's memory.
  struct verdict_key key = *asked;
  __u32 index = key.policy;
  __u32 zero = 0;
  void* holder = bpf_map_lookup_elem(&policies, &index);
  if (!holder) return 0;
  struct policy* policy = bpf_map_lookup_elem(holder, &zero);
  if (!policy) return 0;
  if (policy->allow_all) return 1;
  key.version = policy->version;
  __u32* known = bpf_map_lookup_elem(&verdicts, &key);
  if (known) return *known;
  struct scan scan = {.policy = policy, .key = &key, .allowed = 0};
  bpf_loop(kMaxPolicyRules, scan_rule, &scan, 0);
  bpf_map_update_elem(&verdicts, &key, &scan.allowed, BPF_ANY);
  return scan.allowed;
}

static __always_inline int check_policy(__u32 policy, const struct iphdr* ip, void* end) {
  struct verdict_key key = {.policy = policy, .address = bpf_ntohl(ip->daddr), .protocol = ip->protocol};
  if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) {
    // A fragment without ports matches rules for the whole protocol only.
    if (!(ip->frag_off & bpf_htons(0x1fff))) {
      const __be16* ports = (void*)ip + (ip->ihl & 0xf) * 4;
      if ((void*)(ports + 2) > end) return 0;
      key.port = bpf_ntohs(ports[1]);
    }
  }
  return policy_allows(&key);
}

// 0: nothing leaves and nothing arrives.
static __always_inline __u64 binding_of(__u32 place) {
  volatile __u64* word = bpf_map_lookup_elem(&bindings, &place);
  return word ? *word : 0;
}

static __always_inline __u32 tag_in(__u64 binding) { return (binding >> kTagShift) & 0xfff; }
static __always_inline __u32 gateway_in(__u64 binding) { return (binding >> kGatewayShift) & 0xf; }
static __always_inline __u32 policy_in(__u64 binding) { return (binding >> kPolicyShift) & 0x3ff; }

SEC("tc")
int container_out(struct __sk_buff* skb) {
  __u32 place = skb->ifindex - kSlotIfindex;
  __u64 binding = binding_of(place);
  if (unlikely(!binding)) DROP(0, dropped_unbound);
  __u32 tag = tag_in(binding);
  if (unlikely(skb->vlan_present)) DROP(tag, dropped_vlan);

  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = data + kIpOffset;
  if (unlikely((void*)(ip + 1) > end)) {
    // Short frames that are no IPv4 are counted as what they are.
    if ((void*)(eth + 1) > end) DROP(tag, dropped_malformed);
    if (eth->h_proto == bpf_htons(ETH_P_ARP)) DROP(tag, dropped_arp);
    DROP(tag, dropped_malformed);
  }
  if (unlikely(eth->h_proto != bpf_htons(ETH_P_IP))) {
    if (eth->h_proto == bpf_htons(ETH_P_ARP)) DROP(tag, dropped_arp);
    if (eth->h_proto == bpf_htons(ETH_P_IPV6)) DROP(tag, dropped_ipv6);
    DROP(tag, dropped_other_protocol);
  }
  __u32 generation;
  if (unlikely(!is_slot_mac(eth->h_source, &generation) || generation != (__u32)binding))
    DROP(tag, dropped_spoofed_mac);
  if (unlikely(ip->saddr != bpf_htonl(kSlotBase + place))) DROP(tag, dropped_spoofed_address);
  if (unlikely(ip->version != 4 || ip->ihl < 5)) DROP(tag, dropped_malformed);
  if (unlikely(is_forbidden(bpf_ntohl(ip->daddr)))) DROP(tag, dropped_forbidden_destination);
  if (policy_in(binding) && !check_policy(policy_in(binding), ip, end)) DROP(tag, dropped_policy);

  if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tag)) DROP(tag, dropped_vlan);
  __u32 nic = nic_ifindex(gateway_in(binding));
  return binding >> kPeerShift & 1 ? bpf_redirect_peer(nic, 0) : bpf_redirect(nic, 0);
}

SEC("tc")
int gateway_return(struct __sk_buff* skb) {
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = data + kIpOffset;
  if (unlikely((void*)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || !skb->vlan_present))
    DROP(0, dropped_malformed);
  __u32 place = bpf_ntohl(ip->daddr) - kSlotBase;
  if (unlikely(place >= kMaxSlots)) DROP(0, dropped_return_unbound);
  __u64 binding = binding_of(place);
  __u32 generation;
  if (unlikely(!binding)) DROP(0, dropped_return_unbound);
  __u32 tag = tag_of(skb);
  if (unlikely(!is_slot_mac(eth->h_dest, &generation) || generation != (__u32)binding || tag != tag_in(binding)))
    DROP(tag_in(binding), dropped_return_tag);
  if (bpf_skb_vlan_pop(skb)) DROP(tag, dropped_vlan);
  return bpf_redirect_peer(kSlotIfindex + place, 0);
}

SEC("tc")
int trunk_in(struct __sk_buff* skb) {
  __u32 tag = tag_of(skb);
  if (unlikely(!skb->vlan_present || !tag || tag > kMaxTag)) DROP(0, dropped_vlan);
  if (bpf_skb_vlan_pop(skb)) DROP(tag, dropped_vlan);
  return bpf_redirect_peer(port_ifindex((skb->ifindex - kNicIfindex) / 2, tag), 0);
}

SEC("tc")
int port_in(struct __sk_buff* skb) {
  __u32 port = skb->ifindex - kPortIfindex;
  __u32 tag = port % kTags;
  if (unlikely(skb->vlan_present)) DROP(tag, dropped_vlan);
  if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tag)) DROP(tag, dropped_vlan);
  return bpf_redirect(trunk_ifindex(port / kTags), 0);
}

SEC("tc")
int uplink_in(struct __sk_buff* skb) {
  __u32 ifindex = skb->ifindex;
  __u32* vlan = bpf_map_lookup_elem(&uplink_vlans, &ifindex);
  if (!vlan || skb->vlan_present) return TC_ACT_SHOT;
  return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), *vlan) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int uplink_out(struct __sk_buff* skb) {
  __u32 ifindex = skb->ifindex;
  __u32* vlan = bpf_map_lookup_elem(&uplink_vlans, &ifindex);
  if (!vlan || !skb->vlan_present || tag_of(skb) != *vlan) return TC_ACT_SHOT;
  return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}
