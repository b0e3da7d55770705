#pragma once
#include "gateway/bpf/pat_flow.h"
// An ICMP error about a packet of ours: the packet inside gets back the address and port that its sender knows.
__noinline int icmp_error_in(struct __sk_buff* skb, __u32 tag, __u32 offset) {
  struct attachment* at = bpf_map_lookup_elem(&attachments, &tag);
  struct iphdr inner;
  __u8 ports[8];
  __u32 inner_offset = offset + sizeof(struct icmp_header);
  if (!at || bpf_skb_load_bytes(skb, inner_offset, &inner, sizeof(inner))) DROP(tag, dropped_malformed);
  if (inner.version != 4 || inner.ihl < 5 || inner.saddr != at->address) DROP(tag, dropped_no_session);
  __u32 ports_offset = inner_offset + inner.ihl * 4;
  if (bpf_skb_load_bytes(skb, ports_offset, ports, sizeof(ports))) DROP(tag, dropped_malformed);
  int is_icmp = inner.protocol == IPPROTO_ICMP;
  if (is_icmp && ports[0] != ICMP_ECHO) DROP(tag, dropped_no_session);
  if (!is_icmp && inner.protocol != IPPROTO_TCP && inner.protocol != IPPROTO_UDP) DROP(tag, dropped_protocol);
  struct session_key key = {.remote = inner.daddr, .protocol = inner.protocol};
  __builtin_memcpy(&key.port, is_icmp ? ports + 4 : ports, 2);
  if (!is_icmp) __builtin_memcpy(&key.remote_port, ports + 2, 2);
  struct session session = {};
  if (find_in(tag, &key, 0, now_ticks(), 0, &session)) DROP(tag, dropped_no_session);

  __u32 sum = offset + 2;
  // Address and header sum of the inner header cancel out in the outer sum; the port does not.
  __u32 inner_address = inner_offset + __builtin_offsetof(struct iphdr, saddr);
  __u32 inner_sum = inner_offset + __builtin_offsetof(struct iphdr, check);
  bpf_l3_csum_replace(skb, inner_sum, inner.saddr, session.address, 4);
  bpf_skb_store_bytes(skb, inner_address, &session.address, 4, 0);
  bpf_l4_csum_replace(skb, sum, key.port, session.port, 2);
  bpf_skb_store_bytes(skb, ports_offset + (is_icmp ? 4 : 0), &session.port, 2, 0);
  __u16 inner_check;
  __builtin_memcpy(&inner_check, is_icmp ? ports + 2 : ports + 6, 2);
  if (is_icmp || (inner.protocol == IPPROTO_UDP && inner_check)) {
    // Those eight bytes hold the inner checksum too: fix it, and the outer one for its change.
    __u32 at_sum = ports_offset + (is_icmp ? 2 : 6);
    __u16 fixed;
    if (!is_icmp) bpf_l4_csum_replace(skb, at_sum, inner.saddr, session.address, 4);
    bpf_l4_csum_replace(skb, at_sum, key.port, session.port, 2);
    if (!bpf_skb_load_bytes(skb, at_sum, &fixed, 2)) bpf_l4_csum_replace(skb, sum, inner_check, fixed, 2);
  }
  COUNT(tag, icmp_errors_in);
  return deliver(skb, tag, offset, -1, &session);
}
