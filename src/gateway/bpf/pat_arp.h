// ARP on the trunk: answers for the gateway's addresses, learns who is where.
//
// An entry is made (pending) by the first packet that wants it, or by a request for our own address; a reply only ever
// fills an entry that is there, so that nobody fills the table with answers to questions nobody asked. The collector
// deletes what no packet has used for a while.
#pragma once

#include "gateway/bpf/pat_maps.h"

static __always_inline void learn(__u32 tag, __u32 address, const __u8* mac, int make) {
  void* table = bpf_map_lookup_elem(&neighbours, &tag);
  if (!table) return;
  struct neighbour entry = {.state = kNeighbourValid, .updated = now_ticks()};
  copy_mac(entry.mac, mac);
  struct neighbour* known = bpf_map_lookup_elem(table, &address);
  if (!known && !make) return;
  int asked = known && known->state != kNeighbourValid;
  bpf_map_update_elem(table, &address, &entry, BPF_ANY);
  if (asked) report(kEventLearned, tag, address, 0, 0, BPF_RB_FORCE_WAKEUP);
}

// Answers a request for our address on the same trunk.
static __always_inline int answer(struct __sk_buff* skb, struct ethhdr* eth, struct arp_packet* arp, __u32 tag,
                                  const struct attachment* at) {
  copy_mac(eth->h_dest, arp->sender_mac);
  copy_mac(eth->h_source, at->mac);
  arp->operation = bpf_htons(kArpReply);
  __builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
  __builtin_memcpy(arp->target_address, arp->sender_address, 4);
  copy_mac(arp->sender_mac, at->mac);
  __builtin_memcpy(arp->sender_address, &at->address, 4);
  COUNT(tag, arp_answered);
  return bpf_redirect(skb->ifindex, 0);
}

__noinline int handle_arp(struct __sk_buff* skb, __u32 tag, struct attachment* at) {
  if (!at) return TC_ACT_SHOT;
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  struct ethhdr* eth = data;
  struct arp_packet* arp = data + sizeof(*eth);
  if ((void*)(arp + 1) > end) DROP(tag, dropped_malformed);
  if (arp->hardware_type != bpf_htons(1) || arp->protocol_type != bpf_htons(ETH_P_IP) || arp->hardware_length != 6 ||
      arp->protocol_length != 4)
    DROP(tag, dropped_malformed);
  __u32 sender, target;
  __builtin_memcpy(&sender, arp->sender_address, 4);
  __builtin_memcpy(&target, arp->target_address, 4);
  if (sender == at->address) DROP(tag, dropped_address_conflict);
  int ours = target == at->address;
  int in_subnet = (sender & at->mask) == at->network && sender;
  int is_request = arp->operation == bpf_htons(kArpRequest);
  if (in_subnet && !(arp->sender_mac[0] & 1)) learn(tag, sender, arp->sender_mac, ours && is_request);
  if (!ours || !is_request) return TC_ACT_SHOT;
  return answer(skb, eth, arp, tag, at);
}

// MAC of the next hop. 0: not known now.
__noinline int next_hop_mac(__u32 tag, __u32 hop, __u32 now, struct mac* mac) {
  if (!mac) return 0;
  void* table = bpf_map_lookup_elem(&neighbours, &tag);
  struct neighbour* entry = table ? bpf_map_lookup_elem(table, &hop) : 0;
  if (!entry || entry->state == kNeighbourPending) return 0;
  copy_mac(mac->bytes, entry->mac);
  if (unlikely(elapsed(entry->updated, now) > kNeighbourFreshTicks) &&
      __sync_val_compare_and_swap(&entry->state, kNeighbourValid, kNeighbourStale) == kNeighbourValid)
    report(kEventStale, tag, hop, 0, 0, BPF_RB_FORCE_WAKEUP);
  return 1;
}

// The same, kept in the session for a tick: a neighbour that moves is followed within a second.
static __always_inline int session_hop_mac(struct session* session, __u32 tag, __u32 hop, __u32 now, struct mac* mac) {
  if (likely(session->mac_tick == now + 1)) {
    copy_mac(mac->bytes, session->mac);
    return 1;
  }
  if (!next_hop_mac(tag, hop, now, mac)) return 0;
  copy_mac(session->mac, mac->bytes);
  session->mac_tick = now + 1;
  return 1;
}

// The packet waits for its next hop at the agent, who asks. Few packets for each: a flood must not keep the agent from
// asking. An entry that nobody was told of is taken back, for nobody would ever answer it.
__noinline int hold_packet(struct __sk_buff* skb, __u32 tag, __u32 hop) {
  void* table = bpf_map_lookup_elem(&neighbours, &tag);
  if (!table) DROP(tag, dropped_no_attachment);
  struct neighbour fresh = {.state = kNeighbourPending};
  int made = !bpf_map_update_elem(table, &hop, &fresh, BPF_NOEXIST);
  struct neighbour* entry = bpf_map_lookup_elem(table, &hop);
  COUNT(tag, neighbour_misses);
  if (entry && entry->state == kNeighbourPending && __sync_fetch_and_add(&entry->updated, 1) >= kMaxHeldEach)
    DROP(tag, dropped_neighbour_busy);
  if (report_packet(skb, kEventMiss, tag, hop, 0) && made) bpf_map_delete_elem(table, &hop);
  return TC_ACT_SHOT;
}
