// The gateway's programs: many containers' addresses and ports to one address of the VPC, and back.
//
//   pat_out   ingress of NIC 0: from containers     source → the attachment's address and a port of the container's
//   pat_in    ingress of NIC 1 (trunk) or of each   back, for sessions only; ARP
//             VPC port: from VPCs
//   collect   run by the agent                      ends what is over
//
// Packets of one attachment carry its VLAN tag on both NICs; where the gateway is a namespace of this host, VPC ports
// end in it themselves (no trunk, no tag there), which saves each packet a hop. A container's generation is in the MAC
// of its packets. Super-packets with unfinished checksums pass as they are: the checksum helpers know them.
#include "gateway/bpf/pat_arp.h"
#include "gateway/bpf/pat_collect.h"

char LICENSE[] SEC("license") = "GPL";

struct l4 {
  __u32 offset;      // from the frame's start
  __u32 sum_offset;  // of the checksum, from the frame's start
  __u8 protocol;
  __u8 tcp_flags;  // byte 13 of the TCP header
  __u8 tcp_words;  // header length in words
  __u16 source;    // ICMP: the identifier, in both
  __u16 destination;
  __u32 seq;  // host order
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
  if (ip->protocol == IPPROTO_TCP) {
    struct tcphdr* tcp = at;
    if ((void*)(tcp + 1) > end) return -1;
    l4->source = tcp->source;
    l4->destination = tcp->dest;
    l4->seq = bpf_ntohl(tcp->seq);
    l4->tcp_flags = ((__u8*)tcp)[13];
    l4->tcp_words = ((__u8*)tcp)[12] >> 4;
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

static __always_inline int is_live(__u32 state) { return (state & (kAlive | kDead | kBusy)) == kAlive; }

// Follows a packet of a live session from inside. 0: no, it begins a new one.
static __always_inline int follow_out(struct session* session, const struct flow* flow, const struct l4* l4) {
  __u32 state = session->state;
  if (!is_live(state) || !is_mine(flow, session)) return 0;
  if (l4->protocol == IPPROTO_TCP && (l4->tcp_flags & (kTcpSyn | kTcpFin | kTcpRst))) {
    if ((l4->tcp_flags & kTcpSyn) && tcp_closed(state)) return 0;
    if (l4->tcp_flags & (kTcpFin | kTcpRst)) session->final_seq = l4->seq + 1;
    __sync_fetch_and_or(&session->state, tcp_bits_out(l4));
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

SEC("tc")
int pat_out(struct __sk_buff* skb) {
  __u32 tag = tag_of(skb);
  struct attachment* at = bpf_map_lookup_elem(&attachments, &tag);
  if (unlikely(!skb->vlan_present || !at || !at->state)) DROP(tag, dropped_no_attachment);
  if (unlikely(at->state == kAttachmentDrops)) DROP(tag, dropped_no_outside);
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = data + kIpOffset;
  struct flow flow = {.tag = tag, .now = now_ticks()};
  if (unlikely((void*)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 || ip->ihl < 5 ||
               !is_slot_mac(eth->h_source, &flow.generation)))
    DROP(tag, dropped_malformed);
  if (unlikely(ip->frag_off & bpf_htons(kFragmentMask))) DROP(tag, dropped_fragment);
  if (unlikely(ip->ttl <= 1)) {
    report_packet(skb, kEventIcmp, tag, 0, ICMP_TIME_EXCEEDED << 8);
    DROP(tag, dropped_ttl);
  }
  struct l4 l4;
  if (unlikely(ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_ICMP))
    DROP(tag, dropped_protocol);
  if (unlikely(read_l4(ip, end, &l4))) DROP(tag, dropped_malformed);
  __u32 source = ip->saddr, destination = ip->daddr;
  if (unlikely(destination == at->address)) DROP(tag, dropped_hairpin);
  if (l4.protocol == IPPROTO_ICMP) {
    if (((struct icmp_header*)((void*)ip + (ip->ihl & 0xf) * 4))->type != ICMP_ECHO) DROP(tag, dropped_protocol);
    l4.destination = 0;
  }
  flow.inside.address = source;
  flow.inside.port = l4.source;
  flow.inside.protocol = l4.protocol;
  flow.outside.remote = destination;
  flow.outside.remote_port = l4.destination;
  flow.outside.protocol = l4.protocol;
  flow.state = tcp_bits_out(&l4);
  flow.seq = l4.seq;
  __u32 hop = (destination & at->mask) == at->network ? destination : at->router;
  struct mac mac = {};
  int known = -1;
  int found = find_out(&flow, &l4, hop, &mac, &known);
  if (unlikely(found == kRaced)) DROP(tag, dropped_race);
  if (unlikely(found != kMapped)) {
    report_packet(skb, kEventIcmp, tag, 0, ICMP_DEST_UNREACH << 8 | 13);
    DROP(tag, dropped_ports_exhausted);
  }

  if (unlikely(known < 0)) known = next_hop_mac(tag, hop, flow.now, &mac);
  if (unlikely((l4.tcp_flags & kTcpSyn) && at->mtu < kContainerMtu &&
               clamp_mss(skb, l4.offset, l4.tcp_words, at->mtu - 40)))
    DROP(tag, dropped_malformed);
  if (fix_sum(skb, &l4, source, at->address, l4.source, flow.outside.port)) DROP(tag, dropped_malformed);

  data = (void*)(long)skb->data;
  end = (void*)(long)skb->data_end;
  eth = data;
  ip = data + kIpOffset;
  void* ports = data + (l4.offset & 0x7f);
  if ((void*)(ip + 1) > end || ports + 8 > end) DROP(tag, dropped_malformed);
  if (l4.protocol == IPPROTO_ICMP)
    ((struct icmp_header*)ports)->id = flow.outside.port;
  else
    *(__be16*)ports = flow.outside.port;
  rewrite_ip(ip, &ip->saddr, at->address);
  copy_mac(eth->h_dest, mac.bytes);
  copy_mac(eth->h_source, at->mac);
  COUNT_PACKET(tag, packets_out, bytes_out, skb->len);
  if (likely(known)) return send_to_vpc(skb, tag);
  return hold_packet(skb, tag, hop);
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
    if (bits & ~state) __sync_fetch_and_or(&session->state, bits);
    if (session->used != now) session->used = now;
  }
  // The element may have got another owner while it was read.
  __u32 after = *(volatile __u32*)&session->state;
  if (unlikely(!is_live(after) || session->generation != copy->generation || session->port != copy->port)) return -1;
  return 0;
}

static __always_inline int deliver(struct __sk_buff* skb, __u32 tag, __u32 l4_offset, int port_offset,
                                   const struct session* session) {
  if (port_base && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tag)) DROP(tag, dropped_malformed);
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = data + kIpOffset;
  void* ports = data + (l4_offset & 0x7f);
  if ((void*)(ip + 1) > end || ports + 8 > end) DROP(tag, dropped_malformed);
  if (port_offset >= 0) *(__be16*)(ports + port_offset) = session->port;
  rewrite_ip(ip, &ip->daddr, session->address);
  slot_mac(eth->h_dest, session->generation);
  slot_mac(eth->h_source, 0);
  COUNT_PACKET(tag, packets_in, bytes_in, skb->len);
  return send_to_containers();
}

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

SEC("tc")
int pat_in(struct __sk_buff* skb) {
  __u32 tag = vpc_tag(skb);
  struct attachment* at = bpf_map_lookup_elem(&attachments, &tag);
  if (unlikely(is_wrongly_tagged(skb) || !at || at->state != kAttachmentActive)) DROP(tag, dropped_no_attachment);
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = data + kIpOffset;
  if (unlikely((void*)(eth + 1) > end)) DROP(tag, dropped_malformed);
  if (unlikely(eth->h_proto == bpf_htons(ETH_P_ARP))) return handle_arp(skb, tag, at);
  if (unlikely(!same_mac(eth->h_dest, at->mac))) DROP(tag, dropped_other_mac);
  if (unlikely(eth->h_proto != bpf_htons(ETH_P_IP))) DROP(tag, dropped_protocol);
  if (unlikely((void*)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)) DROP(tag, dropped_malformed);
  if (unlikely(ip->daddr != at->address)) DROP(tag, dropped_other_address);
  if (unlikely(ip->frag_off & bpf_htons(kFragmentMask))) DROP(tag, dropped_fragment);
  if (unlikely(ip->ttl <= 1)) DROP(tag, dropped_ttl);
  if (unlikely(ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_ICMP))
    DROP(tag, dropped_protocol);
  struct l4 l4;
  if (unlikely(read_l4(ip, end, &l4))) DROP(tag, dropped_malformed);
  int port_offset = 2;
  if (l4.protocol == IPPROTO_ICMP) {
    __u8 type = ((struct icmp_header*)((void*)ip + (ip->ihl & 0xf) * 4))->type;
    if (type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB)
      return icmp_error_in(skb, tag, l4.offset & 0x7f);
    if (type != ICMP_ECHOREPLY) DROP(tag, dropped_no_session);
    l4.source = 0;
    port_offset = 4;
  }
  struct session_key key = {
      .remote = ip->saddr, .remote_port = l4.source, .port = l4.destination, .protocol = l4.protocol};
  struct session session = {};
  int found = find_in(tag, &key, &l4, now_ticks(), 1, &session);
  if (unlikely(found == -2)) DROP(tag, dropped_released);
  if (unlikely(found)) DROP(tag, dropped_no_session);
  if (unlikely((l4.tcp_flags & kTcpSyn) && at->mtu < kContainerMtu &&
               clamp_mss(skb, l4.offset, l4.tcp_words, at->mtu - 40)))
    DROP(tag, dropped_malformed);
  if (fix_sum(skb, &l4, at->address, session.address, l4.destination, session.port)) DROP(tag, dropped_malformed);
  return deliver(skb, tag, l4.offset, port_offset, &session);
}
