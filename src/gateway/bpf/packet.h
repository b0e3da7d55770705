// Reading and rewriting packets, for the BPF programs.
#pragma once

// clang-format off: libbpf's headers want the kernel's types first
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
// clang-format on
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "gateway/bpf/shared.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

// linux/icmp.h and linux/if_arp.h pull in libc's socket headers.
enum { ICMP_ECHOREPLY = 0, ICMP_DEST_UNREACH = 3, ICMP_ECHO = 8, ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETERPROB = 12 };

static __always_inline int is_icmp_error(__u8 type) {
  return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

struct icmp_header {
  __u8 type;
  __u8 code;
  __be16 checksum;
  __be16 id;
  __be16 sequence;
};

struct arp_packet {
  __be16 hardware_type;
  __be16 protocol_type;
  __u8 hardware_length;
  __u8 protocol_length;
  __be16 operation;
  __u8 sender_mac[ETH_ALEN];
  __u8 sender_address[4];
  __u8 target_mac[ETH_ALEN];
  __u8 target_address[4];
};
enum { kArpRequest = 1, kArpReply = 2 };

enum { kIpOffset = sizeof(struct ethhdr), kFragmentMask = 0x3fff, kMaxIpHeader = 60 };

static __always_inline __u32 tag_of(const struct __sk_buff* skb) { return skb->vlan_tci & 0xfff; }

static __always_inline __u32 now_ticks(void) { return bpf_ktime_get_coarse_ns() >> kTickShift; }

// Ticks from `then` to `now`. 0 when `then` is the later one: processors take the time on their own, before they meet
// at the same entry.
static __always_inline __u32 elapsed(__u32 then, __u32 now) { return (__s32)(now - then) < 0 ? 0 : now - then; }

struct mac {
  __u8 bytes[ETH_ALEN];
  __u16 pad;
};

static __always_inline void copy_mac(__u8* to, const __u8* from) { __builtin_memcpy(to, from, ETH_ALEN); }

static __always_inline int same_mac(const __u8* a, const __u8* b) {
  return *(const __u32*)a == *(const __u32*)b && *(const __u16*)(a + 4) == *(const __u16*)(b + 4);
}

// MAC of a slot: 02:64, then its serial. A packet carries the container's generation in it.
static __always_inline void slot_mac(__u8* mac, __u32 generation) {
  __u32 serial = bpf_htonl(generation);
  mac[0] = 0x02;
  mac[1] = 0x64;
  __builtin_memcpy(mac + 2, &serial, 4);
}

static __always_inline int is_slot_mac(const __u8* mac, __u32* generation) {
  __u32 serial;
  __builtin_memcpy(&serial, mac + 2, 4);
  *generation = bpf_ntohl(serial);
  return mac[0] == 0x02 && mac[1] == 0x64;
}

// Puts `to` in place of the address `*field` of `ip` and takes one from the TTL; fixes the header's sum.
static __always_inline void rewrite_ip(struct iphdr* ip, __be32* field, __be32 to) {
  __u32 from = *field;
  __u16 before = *(__u16*)&ip->ttl;
  ip->ttl--;
  __u16 after = *(__u16*)&ip->ttl;
  __u64 sum = (__u16)~ip->check;
  sum += (__u16)~from;
  sum += (__u16)(~from >> 16);
  sum += (__u16)to;
  sum += to >> 16;
  sum += (__u16)~before;
  sum += after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  ip->check = (__u16)~sum;
  *field = to;
}
