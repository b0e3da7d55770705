// Packets and their flows: the transport header, the session it belongs to, and what it does to that session.
//
// A TCP session is open from both SYNs until both FINs or an RST; half-closed it still is. An RST ends nothing by
// itself: the session lives for the transitory time, and what follows an RST makes it what it was (RFC 7857 2.2), so
// that one who guesses a sequence number wrongly ends no connection.
#pragma once

#include "gateway/bpf/pat_arp.h"
#include "gateway/bpf/pat_ports.h"

enum { kHairpinMark = 0x48470016 };  // of packets between two containers of one attachment

struct l4 {
  __u32 offset;      // from the frame's start
  __u32 sum_offset;  // of the checksum, from the frame's start
  __u8 protocol;
  __u8 tcp_flags;  // byte 13 of the TCP header
  __u8 tcp_words;  // header length in words
  __u16 source;    // ICMP: the identifier, in both
  __u16 destination;
  __u32 seq;      // host order
  __u32 end_seq;  // of a FIN or RST: behind it and its data
};

enum { kTcpFin = 1, kTcpSyn = 2, kTcpRst = 4 };

// Reads the ports. 0: fine; otherwise the packet is too short.
static __always_inline int read_l4(struct iphdr* ip, void* end, struct l4* l4) {
  __u32 length = (ip->ihl & 0xf) * 4;
  void* at = (void*)ip + length;
  l4->offset = kIpOffset + length;
  l4->protocol = ip->protocol;
  l4->tcp_flags = 0;
  l4->tcp_words = 0;
  l4->seq = 0;
  l4->end_seq = 0;
  if (ip->protocol == IPPROTO_TCP) {
    struct tcphdr* tcp = at;
    if ((void*)(tcp + 1) > end) return -1;
    l4->source = tcp->source;
    l4->destination = tcp->dest;
    l4->seq = bpf_ntohl(tcp->seq);
    l4->tcp_flags = ((__u8*)tcp)[13];
    l4->tcp_words = ((__u8*)tcp)[12] >> 4;
    l4->end_seq = l4->seq + 1 + bpf_ntohs(ip->tot_len) - length - l4->tcp_words * 4;
    l4->sum_offset = l4->offset + 16;
    return 0;
  }
  struct udphdr* udp = at;
  if ((void*)(udp + 1) > end) return -1;
  l4->source = udp->source;
  l4->destination = udp->dest;
  l4->sum_offset = l4->offset + 6;
  if (ip->protocol == IPPROTO_ICMP) {
    struct icmp_header* icmp = at;
    l4->source = l4->destination = icmp->id;
    l4->sum_offset = l4->offset + 2;
  }
  return 0;
}

// Fixes the transport checksum for an address and a port that are about to change.
static __always_inline int fix_sum(struct __sk_buff* skb, const struct l4* l4, __u32 from, __u32 to, __u16 from_port,
                                   __u16 to_port) {
  if (l4->protocol == IPPROTO_ICMP) return bpf_l4_csum_replace(skb, l4->sum_offset, from_port, to_port, 2);
  __u64 zero_stays = l4->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
  if (bpf_l4_csum_replace(skb, l4->sum_offset, from, to, zero_stays | BPF_F_PSEUDO_HDR | 4)) return -1;
  return bpf_l4_csum_replace(skb, l4->sum_offset, from_port, to_port, zero_stays | 2);
}

// Lowers the MSS option of a SYN to what fits the attachment. 0: fine. (Callers use the result: an unused one lets
// clang leave a stack pointer in r0, which the verifier refuses.)
__noinline int clamp_mss(struct __sk_buff* skb, __u32 offset, __u32 words, __u32 limit) {
  __u8 options[40];
  if (words <= 5 || words > 15 || offset > kIpOffset + kMaxIpHeader) return 0;
  __u32 length = (words - 5) * 4;
  if (length < 4 || length > sizeof(options)) return 0;
  if (bpf_skb_load_bytes(skb, offset + 20, options, length)) return 0;
  __u32 at = 0;
  for (int i = 0; i < 20; ++i) {
    if (at + 4 > length || at > 36) return 0;
    __u8 kind = options[at];
    if (kind == 0) return 0;
    if (kind == 1) {
      at++;
      continue;
    }
    __u8 size = options[at + 1];
    if (kind == 2 && size == 4) {
      __u16 mss = options[at + 2] << 8 | options[at + 3];
      if (mss <= limit) return 0;
      __be16 from = bpf_htons(mss), to = bpf_htons(limit);
      // At an odd place the option's bytes are the other halves of the checksum's words.
      int odd = at & 1;
      bpf_l4_csum_replace(skb, offset + 16, odd ? __builtin_bswap16(from) : from, odd ? __builtin_bswap16(to) : to, 2);
      return bpf_skb_store_bytes(skb, offset + 20 + at + 2, &to, 2, 0) != 0;
    }
    if (size < 2) return 0;
    at += size;
  }
  return 0;
}

static __always_inline __u32 tcp_bits_out(const struct l4* l4) {
  return (l4->tcp_flags & kTcpSyn ? kSynOut : 0) | (l4->tcp_flags & kTcpFin ? kFinOut : 0) |
         (l4->tcp_flags & kTcpRst ? kRst : 0);
}

// What follows an RST takes it back.
static __always_inline void note_bits(struct session* session, __u32 state, __u32 bits) {
  if (unlikely((state & kRst) && !(bits & kRst))) __sync_fetch_and_and(&session->state, ~(__u32)kRst);
  if (bits & ~state) __sync_fetch_and_or(&session->state, bits);
}

static __always_inline int is_live(__u32 state) { return (state & (kAlive | kDead | kBusy)) == kAlive; }

// Follows a packet of a live session from inside. 0: no, it begins a new one.
static __always_inline int follow_out(struct session* session, const struct flow* flow, const struct l4* l4) {
  __u32 state = session->state;
  if (!is_live(state) || !is_mine(flow, session)) return 0;
  if (l4->protocol == IPPROTO_TCP && unlikely((state & kRst) || (l4->tcp_flags & (kTcpSyn | kTcpFin | kTcpRst)))) {
    if ((l4->tcp_flags & kTcpSyn) && tcp_closed(state)) return 0;
    if (l4->tcp_flags & (kTcpFin | kTcpRst)) session->final_seq = l4->end_seq;
    note_bits(session, state, tcp_bits_out(l4));
  }
  if (unlikely(session->used != flow->now)) {
    if (expired(state, l4->protocol, session->used, flow->now)) return 0;
    session->used = flow->now;
  }
  return 1;
}

// Finds or makes the flow's session; flow->outside.port is the port to use. Fills in the next hop's
// MAC when it is known.
static __always_inline int find_out(struct flow* flow, const struct l4* l4, __u32 hop, struct mac* mac, int* known) {
  __u32 tag = flow->tag;
  void* mapping_table = bpf_map_lookup_elem(&mappings, &tag);
  void* session_table = bpf_map_lookup_elem(&sessions, &tag);
  if (!mapping_table || !session_table) return kExhausted;
  struct mapping* mapping = bpf_map_lookup_elem(mapping_table, &flow->inside);
  if (likely(mapping && mapping->generation == flow->generation && !(mapping->refs & kMappingDead))) {
    flow->outside.port = mapping->port;
    struct session* session = bpf_map_lookup_elem(session_table, &flow->outside);
    if (likely(session && follow_out(session, flow, l4))) {
      *known = session_hop_mac(session, tag, hop, flow->now, mac);
      return kMapped;
    }
    return extend_mapping(flow, mapping);
  }
  int made = make_mapping(flow);
  if (made != kRaced) return made;
  // Another processor made the mapping between: use that one.
  mapping = bpf_map_lookup_elem(mapping_table, &flow->inside);
  if (!mapping || mapping->generation != flow->generation) return kRaced;
  flow->outside.port = mapping->port;
  return extend_mapping(flow, mapping);
}

// A session that a packet from outside belongs to: a copy, checked for its owner. 0: found.
static __always_inline int find_in(__u32 tag, const struct session_key* key, const struct l4* l4, __u32 now, int counts,
                                   struct session* copy) {
  void* table = bpf_map_lookup_elem(&sessions, &tag);
  struct session* session = table ? bpf_map_lookup_elem(table, key) : 0;
  if (unlikely(!session)) return -1;
  __u32 state = session->state;
  if (unlikely(!is_live(state))) return -1;
  copy->generation = session->generation;
  copy->address = session->address;
  copy->port = session->port;
  struct port_block* block = block_at(tag, bpf_ntohs(key->port) / kBlockPorts);
  if (unlikely(!block || block->generation != copy->generation)) return -2;
  if (unlikely(session->used != now) && expired(state, key->protocol, session->used, now)) return -1;
  if (counts) {
    __u32 bits = kInbound;
    if (key->protocol == IPPROTO_TCP)
      bits = (l4->tcp_flags & kTcpSyn ? kSynIn : 0) | (l4->tcp_flags & kTcpFin ? kFinIn : 0) |
             (l4->tcp_flags & kTcpRst ? kRst : 0);
    note_bits(session, state, bits);
    if (session->used != now) session->used = now;
  }
  // The element may have got another owner while it was read.
  __u32 after = *(volatile __u32*)&session->state;
  if (unlikely(!is_live(after) || session->generation != copy->generation || session->port != copy->port)) return -1;
  return 0;
}

// How a packet leaves for the VPC.
struct way {
  __u32 hop;
  int known;  // is the hop's MAC?
  int turns;  // the destination is the gateway: another container behind it
  struct mac mac;
};

// Back into the gateway, as if it came from the VPC: what it may and whom it reaches is decided there.
static __always_inline int turn_back(struct __sk_buff* skb, __u32 tag) {
  skb->mark = kHairpinMark;
  COUNT(tag, packets_hairpinned);
  if (port_base && bpf_skb_vlan_pop(skb)) DROP(tag, dropped_malformed);
  return bpf_redirect(port_base ? port_base + tag : nic1, BPF_F_INGRESS);
}

struct headers {
  struct ethhdr* eth;
  struct iphdr* ip;
  void* ports;  // eight bytes
};

// 0: the packet is too short for them.
static __always_inline int headers_of(struct __sk_buff* skb, __u32 l4_offset, struct headers* at) {
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  at->eth = data;
  at->ip = data + kIpOffset;
  at->ports = data + (l4_offset & 0x7f);
  return (void*)(at->ip + 1) <= end && at->ports + 8 <= end;
}

// Puts the gateway's address and `port` in, unless `port_offset` (in the transport header) is less than 0.
static __always_inline int leave(struct __sk_buff* skb, __u32 tag, const struct attachment* at, const struct way* way,
                                 __u32 l4_offset, int port_offset, __u16 port) {
  struct headers in;
  if (!headers_of(skb, l4_offset, &in)) DROP(tag, dropped_malformed);
  if (port_offset >= 0) *(__be16*)(in.ports + port_offset) = port;
  rewrite_ip(in.ip, &in.ip->saddr, at->address);
  copy_mac(in.eth->h_dest, way->turns ? at->mac : way->mac.bytes);
  copy_mac(in.eth->h_source, at->mac);
  COUNT_PACKET(tag, packets_out, bytes_out, skb->len);
  if (unlikely(way->turns)) return turn_back(skb, tag);
  if (likely(way->known)) return send_to_vpc(skb, tag);
  return hold_packet(skb, tag, way->hop);
}

static __always_inline int deliver(struct __sk_buff* skb, __u32 tag, __u32 l4_offset, int port_offset,
                                   const struct session* session) {
  if (port_base && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tag)) DROP(tag, dropped_malformed);
  struct headers in;
  if (!headers_of(skb, l4_offset, &in)) DROP(tag, dropped_malformed);
  if (port_offset >= 0) *(__be16*)(in.ports + port_offset) = session->port;
  rewrite_ip(in.ip, &in.ip->daddr, session->address);
  slot_mac(in.eth->h_dest, session->generation);
  slot_mac(in.eth->h_source, 0);
  skb->mark = 0;
  COUNT_PACKET(tag, packets_in, bytes_in, skb->len);
  return send_to_containers();
}
