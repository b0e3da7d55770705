// ICMP errors, both ways: the packet that is quoted gets the addresses and ports that its reader knows.
//
// They neither end nor refresh a session (RFC 5508 REQ-10 and after), and only what belongs to a live one passes. The
// error's own sum and the quoted IP header's must be right; the quoted transport's is not looked at, but kept as right
// or wrong as it was. A quoted fragment behind the first has no ports: dropped.
#pragma once

#include "gateway/bpf/pat_flow.h"

enum { kSumChunk = 64, kMaxIcmpError = 1024 };

struct quote {
  __u32 ip;   // where its IP header is in the frame
  __u32 l4;   // its transport header
  __u32 sum;  // its transport checksum; 0: it has none
  __u32 source;
  __u32 destination;
  __u16 source_port;  // ICMP: the identifier, in both
  __u16 destination_port;
  __u8 protocol;
  __u8 icmp_type;
  __u16 pad;
};

struct endpoint {
  __u32 address;
  __u16 port;
  __u16 is_destination;  // of the quoted packet
};

enum { kQuoteGood, kQuoteMalformed, kQuoteBadSum, kQuoteFragment, kQuoteProtocol };

// Does the Internet checksum over `length` bytes, its own field among them, come out right?
__noinline int is_sum_good(struct __sk_buff* skb, __u32 offset, __u32 length) {
  __u8 chunk[kSumChunk];
  __u32 sum = 0;
  if (!length || length > kMaxIcmpError || offset > 1024) return 0;
  for (__u32 i = 0; i < kMaxIcmpError / kSumChunk; ++i) {
    if (i * kSumChunk >= length) break;
    __u32 last = length - i * kSumChunk - 1;
    if (last > kSumChunk - 1) last = kSumChunk - 1;
    __builtin_memset(chunk, 0, sizeof(chunk));
    // Behind clang's back, which would leave the mask out; Linux 6.1 learns from nothing else that a size is not 0.
    asm volatile("" : "+r"(last));
    last &= kSumChunk - 1;
    if (bpf_skb_load_bytes(skb, offset + i * kSumChunk, chunk, last + 1)) return 0;
    sum = bpf_csum_diff(0, 0, (__be32*)chunk, kSumChunk, sum);
  }
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

// Reads the packet that the ICMP error at `offset` quotes, and checks the error.
__noinline int read_quote(struct __sk_buff* skb, __u32 offset, struct quote* quote) {
  struct iphdr outer, inner;
  __u8 head[8];
  if (!quote || offset > kIpOffset + kMaxIpHeader) return kQuoteMalformed;
  quote->ip = offset + sizeof(struct icmp_header);
  if (bpf_skb_load_bytes(skb, kIpOffset, &outer, sizeof(outer)) ||
      bpf_skb_load_bytes(skb, quote->ip, &inner, sizeof(inner)))
    return kQuoteMalformed;
  __u32 end = kIpOffset + bpf_ntohs(outer.tot_len);
  quote->l4 = quote->ip + inner.ihl * 4;
  if (end > skb->len || inner.version != 4 || inner.ihl < 5 || quote->l4 + sizeof(head) > end ||
      end - offset > kMaxIcmpError || bpf_skb_load_bytes(skb, quote->l4, head, sizeof(head)))
    return kQuoteMalformed;
  if (!is_sum_good(skb, offset, end - offset) || !is_sum_good(skb, quote->ip, inner.ihl * 4)) return kQuoteBadSum;
  if (inner.frag_off & bpf_htons(0x1fff)) return kQuoteFragment;
  quote->source = inner.saddr;
  quote->destination = inner.daddr;
  quote->protocol = inner.protocol;
  quote->icmp_type = head[0];
  quote->sum = 0;
  if (inner.protocol == IPPROTO_ICMP) {
    __builtin_memcpy(&quote->source_port, head + 4, 2);
    quote->destination_port = quote->source_port;
    quote->sum = quote->l4 + 2;
    return kQuoteGood;
  }
  if (inner.protocol != IPPROTO_TCP && inner.protocol != IPPROTO_UDP) return kQuoteProtocol;
  __builtin_memcpy(&quote->source_port, head, 2);
  __builtin_memcpy(&quote->destination_port, head + 2, 2);
  if (inner.protocol == IPPROTO_UDP && (head[6] || head[7])) quote->sum = quote->l4 + 6;
  if (inner.protocol == IPPROTO_TCP && quote->l4 + 18 <= end) quote->sum = quote->l4 + 16;
  return kQuoteGood;
}

static __always_inline int drop_quote(__u32 tag, int why) {
  if (why == kQuoteBadSum) DROP(tag, dropped_bad_sum);
  if (why == kQuoteFragment) DROP(tag, dropped_fragment);
  if (why == kQuoteProtocol) DROP(tag, dropped_protocol);
  DROP(tag, dropped_malformed);
}

// Puts `to` in place of the quoted packet's source or destination. What that changes in the quoted headers cancels out
// in the error's sum but for the port and, where it is quoted, the transport's sum. 0: done.
__noinline int rewrite_quote(struct __sk_buff* skb, __u32 offset, struct quote* quote, struct endpoint* to) {
  if (!quote || !to) return -1;
  __u32 ip = quote->ip, sum = quote->sum, error_sum = offset + 2;
  __u32 from = to->is_destination ? quote->destination : quote->source;
  __u16 from_port = to->is_destination ? quote->destination_port : quote->source_port;
  __u32 address = to->address;
  __u16 port = to->port, before = 0, after = 0;
  __u32 address_at = ip + (to->is_destination ? 16 : 12);
  __u32 port_at = quote->l4 + (quote->protocol == IPPROTO_ICMP ? 4 : to->is_destination ? 2 : 0);
  __u64 zero_stays = quote->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
  if (bpf_l3_csum_replace(skb, ip + 10, from, address, 4) || bpf_skb_store_bytes(skb, address_at, &address, 4, 0) ||
      bpf_l4_csum_replace(skb, error_sum, from_port, port, 2) || bpf_skb_store_bytes(skb, port_at, &port, 2, 0))
    return -1;
  if (!sum) return 0;
  if (bpf_skb_load_bytes(skb, sum, &before, 2)) return -1;
  if (quote->protocol != IPPROTO_ICMP && bpf_l4_csum_replace(skb, sum, from, address, zero_stays | 4)) return -1;
  if (bpf_l4_csum_replace(skb, sum, from_port, port, zero_stays | 2) || bpf_skb_load_bytes(skb, sum, &after, 2))
    return -1;
  return bpf_l4_csum_replace(skb, error_sum, before, after, 2) ? -1 : 0;
}

// From the VPC, about a packet of a container's.
__noinline int icmp_error_in(struct __sk_buff* skb, __u32 tag, __u32 offset) {
  struct attachment* at = bpf_map_lookup_elem(&attachments, &tag);
  struct quote quote = {};
  if (!at) DROP(tag, dropped_no_attachment);
  int why = read_quote(skb, offset, &quote);
  if (why) return drop_quote(tag, why);
  int is_icmp = quote.protocol == IPPROTO_ICMP;
  if (quote.source != at->address || (is_icmp && quote.icmp_type != ICMP_ECHO)) DROP(tag, dropped_no_session);
  struct session_key key = {.remote = quote.destination,
                            .remote_port = is_icmp ? 0 : quote.destination_port,
                            .port = quote.source_port,
                            .protocol = quote.protocol};
  struct session session = {};
  if (find_in(tag, &key, 0, now_ticks(), 0, &session)) DROP(tag, dropped_no_session);
  struct endpoint to = {.address = session.address, .port = session.port};
  if (rewrite_quote(skb, offset, &quote, &to)) DROP(tag, dropped_malformed);
  COUNT(tag, icmp_errors_in);
  return deliver(skb, tag, offset, -1, &session);
}

// The external port by which `quote` came to the container. 0: by none.
static __always_inline __u16 port_that_got(__u32 tag, const struct quote* quote, __u32 generation, __u32 now) {
  int is_icmp = quote->protocol == IPPROTO_ICMP;
  if (is_icmp && quote->icmp_type != ICMP_ECHOREPLY) return 0;
  struct mapping_key inside = {
      .address = quote->destination, .port = quote->destination_port, .protocol = quote->protocol};
  void* table = bpf_map_lookup_elem(&mappings, &tag);
  struct mapping* mapping = table ? bpf_map_lookup_elem(table, &inside) : 0;
  if (!mapping || mapping->generation != generation || (mapping->refs & kMappingDead)) return 0;
  struct session_key key = {.remote = quote->source,
                            .remote_port = is_icmp ? 0 : quote->source_port,
                            .port = mapping->port,
                            .protocol = quote->protocol};
  struct session session = {};
  if (find_in(tag, &key, 0, now, 0, &session)) return 0;
  if (session.generation != generation || session.address != inside.address || session.port != inside.port) return 0;
  return key.port;
}

// From a container, about a packet that it got; it tells nobody but that packet's sender.
__noinline int icmp_error_out(struct __sk_buff* skb, __u32 tag, __u32 offset, __u32 generation) {
  struct attachment* at = bpf_map_lookup_elem(&attachments, &tag);
  struct quote quote = {};
  struct iphdr outer;
  __u32 now = now_ticks();
  if (!at || bpf_skb_load_bytes(skb, kIpOffset, &outer, sizeof(outer))) DROP(tag, dropped_malformed);
  int why = read_quote(skb, offset, &quote);
  if (why) return drop_quote(tag, why);
  if (quote.destination != outer.saddr || quote.source != outer.daddr) DROP(tag, dropped_no_session);
  struct endpoint to = {
      .address = at->address, .port = port_that_got(tag, &quote, generation, now), .is_destination = 1};
  if (!to.port) DROP(tag, dropped_no_session);
  if (rewrite_quote(skb, offset, &quote, &to)) DROP(tag, dropped_malformed);
  struct way way = {.turns = outer.daddr == at->address};
  way.hop = (outer.daddr & at->mask) == at->network ? outer.daddr : at->router;
  if (!way.turns) way.known = next_hop_mac(tag, way.hop, now, &way.mac);
  COUNT(tag, icmp_errors_out);
  return leave(skb, tag, at, &way, offset, -1, 0);
}
