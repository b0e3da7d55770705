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
#include "gateway/bpf/pat_collect.h"
#include "gateway/bpf/pat_flow.h"
#include "gateway/bpf/pat_icmp.h"

char LICENSE[] SEC("license") = "GPL";

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
  if (l4.protocol == IPPROTO_ICMP) {
    __u8 type = ((struct icmp_header*)((void*)ip + (ip->ihl & 0xf) * 4))->type;
    if (is_icmp_error(type)) return icmp_error_out(skb, tag, l4.offset & 0x7f, flow.generation);
    if (type != ICMP_ECHO) DROP(tag, dropped_protocol);
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
  struct way way = {.known = -1, .turns = destination == at->address};
  way.hop = (destination & at->mask) == at->network ? destination : at->router;
  int found = find_out(&flow, &l4, way.hop, &way.mac, &way.known);
  if (unlikely(found == kRaced)) DROP(tag, dropped_race);
  if (unlikely(found != kMapped)) {
    report_packet(skb, kEventIcmp, tag, 0, ICMP_DEST_UNREACH << 8 | 13);
    DROP(tag, dropped_ports_exhausted);
  }

  if (unlikely(way.known < 0)) way.known = next_hop_mac(tag, way.hop, flow.now, &way.mac);
  if (unlikely((l4.tcp_flags & kTcpSyn) && at->mtu < kContainerMtu &&
               clamp_mss(skb, l4.offset, l4.tcp_words, at->mtu - 40)))
    DROP(tag, dropped_malformed);
  if (fix_sum(skb, &l4, source, at->address, l4.source, flow.outside.port)) DROP(tag, dropped_malformed);
  return leave(skb, tag, at, &way, l4.offset, l4.protocol == IPPROTO_ICMP ? 4 : 0, flow.outside.port);
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
  if (unlikely(ip->saddr == at->address && skb->mark != kHairpinMark)) DROP(tag, dropped_own_source);
  if (unlikely(ip->frag_off & bpf_htons(kFragmentMask))) DROP(tag, dropped_fragment);
  if (unlikely(ip->ttl <= 1)) DROP(tag, dropped_ttl);
  if (unlikely(ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_ICMP))
    DROP(tag, dropped_protocol);
  struct l4 l4;
  if (unlikely(read_l4(ip, end, &l4))) DROP(tag, dropped_malformed);
  int port_offset = 2;
  if (l4.protocol == IPPROTO_ICMP) {
    __u8 type = ((struct icmp_header*)((void*)ip + (ip->ihl & 0xf) * 4))->type;
    if (is_icmp_error(type)) return icmp_error_in(skb, tag, l4.offset & 0x7f);
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
