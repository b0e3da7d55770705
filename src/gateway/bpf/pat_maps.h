// Maps, settings and counters of the gateway's programs.
//
// Tables that grow with traffic are one an attachment (an array of maps by tag): overlapping tenants, quota and
// teardown come with that, and one tenant that fills its own table takes nothing from another.
#pragma once

#include "gateway/bpf/packet.h"

const volatile struct timeouts timeouts = {};
const volatile __u32 nic0 = 0;           // towards the function network
const volatile __u32 nic1 = 0;           // the trunk; 0: VPC ports are here themselves
const volatile __u32 port_base = 0;      // then: ifindex of a port is this plus its tag
const volatile __u32 peer_redirect = 0;  // both are veth: hand over without a queue

#define INNER_HASH(name, entries, key, value) \
  struct name {                               \
    __uint(type, BPF_MAP_TYPE_HASH);          \
    __uint(max_entries, entries);             \
    __uint(map_flags, BPF_F_NO_PREALLOC);     \
    __uint(key_size, sizeof(key));            \
    __uint(value_size, sizeof(value));        \
  }

#define BY_TAG(name, inner)                   \
  struct {                                    \
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
    __uint(max_entries, kTags);               \
    __type(key, __u32);                       \
    __array(values, struct inner);            \
  } name SEC(".maps")

INNER_HASH(session_map, kMaxSessions, struct session_key, struct session);
INNER_HASH(mapping_map, kMaxMappings, struct mapping_key, struct mapping);
INNER_HASH(host_map, kMaxHosts, __u32, struct host);
INNER_HASH(neighbour_map, kMaxNeighbours, __u32, struct neighbour);
struct block_map {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, kBlocks);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct port_block));
};
struct queue_map {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, kBlocks);
  __uint(key_size, 0);
  __uint(value_size, sizeof(__u32));
};
BY_TAG(sessions, session_map);
BY_TAG(mappings, mapping_map);
BY_TAG(hosts, host_map);
BY_TAG(blocks, block_map);
BY_TAG(free_blocks, queue_map);
BY_TAG(neighbours, neighbour_map);

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, kTags);
  __type(key, __u32);
  __type(value, struct attachment);
} attachments SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kTags);
  __type(key, __u32);
  __type(value, struct gateway_counters);
} gateway_counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, kTags);
  __type(key, __u32);
  __type(value, struct budget);
} budgets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, kTags);
  __type(key, __u32);
  __type(value, struct usage);
} usages SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, kRingBytes);
} events SEC(".maps");

#define COUNT(tag, field)                                                            \
  do {                                                                               \
    __u32 count_key_ = (tag);                                                        \
    struct gateway_counters* c_ = bpf_map_lookup_elem(&gateway_counts, &count_key_); \
    if (c_) c_->field++;                                                             \
  } while (0)

#define COUNT_PACKET(tag, packets, bytes, length)                                    \
  do {                                                                               \
    __u32 count_key_ = (tag);                                                        \
    struct gateway_counters* c_ = bpf_map_lookup_elem(&gateway_counts, &count_key_); \
    if (c_) {                                                                        \
      c_->packets++;                                                                 \
      c_->bytes += (length);                                                         \
    }                                                                                \
  } while (0)

#define DROP(tag, field) \
  do {                   \
    COUNT(tag, field);   \
    return TC_ACT_SHOT;  \
  } while (0)

// One packet under translation.
struct flow {
  __u32 tag;
  __u32 now;
  __u32 generation;
  __u32 state;  // flags of a new session
  __u32 seq;    // TCP, host order
  struct mapping_key inside;
  struct session_key outside;
};

// The tag of a packet from a VPC.
static __always_inline __u32 vpc_tag(const struct __sk_buff* skb) {
  return port_base ? skb->ifindex - port_base : tag_of(skb);
}

// Ports here carry no tags, the trunk nothing else.
static __always_inline int is_wrongly_tagged(const struct __sk_buff* skb) { return !skb->vlan_present == !port_base; }

static __always_inline int send_to_vpc(struct __sk_buff* skb, __u32 tag) {
  if (!port_base) return peer_redirect ? bpf_redirect_peer(nic1, 0) : bpf_redirect(nic1, 0);
  if (bpf_skb_vlan_pop(skb)) DROP(tag, dropped_malformed);
  return bpf_redirect_peer(port_base + tag, 0);
}

static __always_inline int send_to_containers(void) {
  return peer_redirect ? bpf_redirect_peer(nic0, 0) : bpf_redirect(nic0, 0);
}

static __always_inline int protocol_index(__u8 protocol) {
  return protocol == IPPROTO_TCP ? kTcp : protocol == IPPROTO_UDP ? kUdp : kIcmp;
}

// One attachment's containers may keep the agent busy only so much. (Two processors that begin a tick together may
// both begin it: the bound is soft by one tick's worth.)
static __always_inline int within_budget(__u32 tag, __u32 type) {
  __u32 now = now_ticks();
  struct budget* budget = bpf_map_lookup_elem(&budgets, &tag);
  if (!budget) return 0;
  if (budget->tick != now) {
    budget->tick = now;
    budget->misses = 0;
    budget->errors = 0;
  }
  if (type == kEventIcmp) return __sync_fetch_and_add(&budget->errors, 1) < kErrorsEachTick;
  return __sync_fetch_and_add(&budget->misses, 1) < kMissesEachTick;
}

// Reports with the packet's bytes: of an error's cause the head, of a packet that waits all or, when it is too long to
// wait, none. 0: told.
__noinline int report_packet(struct __sk_buff* skb, __u32 type, __u32 tag, __u32 address, __u32 icmp) {
  __u32 length = skb->len;
  if (!within_budget(tag, type)) {
    COUNT(tag, dropped_over_budget);
    return -1;
  }
  if (type == kEventIcmp && length > 128) length = 128;
  if (length > kMaxHeldPacket) {
    COUNT(tag, dropped_neighbour_large);
    length = 0;
  }
  struct packet_event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    COUNT(tag, dropped_ring_full);
    return -1;
  }
  __builtin_memset(&event->head, 0, sizeof(event->head));
  event->head.type = type;
  event->head.tag = tag;
  event->head.address = address;
  event->head.length = length;
  event->head.icmp_type = icmp >> 8;
  event->head.icmp_code = icmp;
  if (length >= kIpOffset && bpf_skb_load_bytes(skb, 0, event->data, length)) {
    bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
    return -1;
  }
  bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
  return 0;
}

// `flags`: BPF_RB_NO_WAKEUP for what the agent may read later, BPF_RB_FORCE_WAKEUP for what it should act on (without
// force nobody is woken while something that may be read later is unread).
static __always_inline void report(__u32 type, __u32 tag, __u32 address, __u16 port, __u32 generation, __u64 flags) {
  struct event event = {.type = type, .tag = tag, .address = address, .port = port, .generation = generation};
  if (type == kEventBlock) event.at = bpf_ktime_get_ns();
  if (bpf_ringbuf_output(&events, &event, sizeof(event), flags)) COUNT(tag, dropped_ring_full);
}
