// Ports and sessions: who gets which external port, and when an old session gives way.
//
// A session's `state` changes owner by compare-and-swap only: alive → dead (collector) → busy → deleted, or
// dead/outdated → busy → alive again under a new owner. Nobody deletes by key what he did not make busy before, so a
// session that a packet has just revived can't be deleted. Mappings do the same with kMappingDead in `refs`.
#pragma once

#include "gateway/bpf/pat_maps.h"

// Functions without `static` are verified once, by themselves, with whatever arguments of their types: the slow path
// costs the verifier little that way, and each checks its pointers. Keys of maps are copied to the stack first:
// Linux 6.1 takes none from an argument's memory.

static __always_inline struct port_block* block_at(__u32 tag, __u32 index) {
  void* table = bpf_map_lookup_elem(&blocks, &tag);
  return table ? bpf_map_lookup_elem(table, &index) : 0;
}

static __always_inline int tcp_closed(__u32 state) {
  return (state & kRst) || (state & (kFinOut | kFinIn)) == (kFinOut | kFinIn);
}

static __always_inline int expired(__u32 state, __u8 protocol, __u32 used, __u32 now) {
  __u32 limit = timeouts.icmp;
  if (protocol == IPPROTO_UDP) limit = timeouts.udp;
  if (protocol == IPPROTO_TCP) {
    int open = (state & (kSynOut | kSynIn)) == (kSynOut | kSynIn) && !tcp_closed(state);
    limit = open ? timeouts.tcp_established : timeouts.tcp_transitory;
  }
  return elapsed(used, now) > limit;
}

static __always_inline struct host* host_with(__u32 tag, __u32 address, __u32 generation) {
  void* table = bpf_map_lookup_elem(&hosts, &tag);
  struct host* host = table ? bpf_map_lookup_elem(table, &address) : 0;
  return host && host->generation == generation ? host : 0;
}

// The container and the mapping behind a session that ends have one session less.
__noinline int discount_session(__u32 tag, struct session* session, __u8 protocol, __u16 port) {
  if (!session) return 0;
  struct host* host = host_with(tag, session->address, session->generation);
  if (host) __sync_fetch_and_add(&host->sessions, -1);
  struct mapping_key key = {.address = session->address, .port = session->port, .protocol = protocol};
  void* table = bpf_map_lookup_elem(&mappings, &tag);
  if (!table) return 0;
  struct mapping* mapping = bpf_map_lookup_elem(table, &key);
  if (mapping && mapping->generation == session->generation && mapping->port == port)
    __sync_fetch_and_add(&mapping->refs, -1);
  return 0;
}

// May `flow` take this session of somebody else's (or its own past)?
static __always_inline int may_take(const struct flow* flow, const struct session* session, __u32 state, int must) {
  if (state & kDead) return 1;
  if (session->generation != flow->generation) return must || elapsed(session->used, flow->now) > timeouts.hold;
  if (expired(state, flow->outside.protocol, session->used, flow->now)) return 1;
  // A closed connection's port may be reused once the sequence has moved on (RFC 6191's idea, RFC 6888 REQ-8).
  if (flow->outside.protocol != IPPROTO_TCP || !(flow->state & kSynOut) || !tcp_closed(state)) return 0;
  if (!session->final_seq || (__s32)(flow->seq - session->final_seq) <= 0) return 0;
  COUNT(flow->tag, ports_reused_by_sequence);
  return 1;
}

enum { kClaimed = 0, kMine = 1, kTaken = 2, kFull = 3, kLost = 4 };  // kLost: another processor was quicker

static __always_inline int is_mine(const struct flow* flow, const struct session* session) {
  return session->generation == flow->generation && session->address == flow->inside.address &&
         session->port == flow->inside.port;
}

// Makes `flow->outside` a session of `flow->inside`. (Processors that look together may exceed a limit by one each.)
__noinline int claim_session(struct flow* flow, int must) {
  if (!flow) return kFull;
  struct host* host = host_with(flow->tag, flow->inside.address, flow->generation);
  if (!host) return kFull;
  struct session fresh = {.state = kAlive | flow->state,
                          .generation = flow->generation,
                          .address = flow->inside.address,
                          .port = flow->inside.port,
                          .used = flow->now};
  __u32 tag = flow->tag;
  void* table = bpf_map_lookup_elem(&sessions, &tag);
  if (!table) return kFull;
  struct usage* usage = bpf_map_lookup_elem(&usages, &tag);
  if (!usage) return kFull;
  struct session_key key = flow->outside;
  int in_quota = host->sessions < kDueSessions || usage->sessions < kOpenSessions;
  if (in_quota && !bpf_map_update_elem(table, &key, &fresh, BPF_NOEXIST)) {
    __sync_fetch_and_add(&host->sessions, 1);
    __sync_fetch_and_add(&usage->sessions, 1);
    COUNT(tag, sessions_made);
    return kClaimed;
  }
  struct session* session = bpf_map_lookup_elem(table, &key);
  if (!session && in_quota) {
    COUNT(tag, dropped_sessions_full);
    return kFull;
  }
  // Over its quota a container may have sessions in place of others of its own.
  if (!session || (!in_quota && session->address != flow->inside.address)) {
    COUNT(tag, dropped_session_quota);
    return kFull;
  }
  __u32 state = session->state;
  if (is_mine(flow, session) && !(state & kBusy)) {
    // Its own, expired or closed or found by another processor first: begins anew.
    if (__sync_val_compare_and_swap(&session->state, state, kAlive | flow->state) != state) return kLost;
    session->used = flow->now;
    session->final_seq = 0;
    return kMine;
  }
  if (state & kBusy) return kLost;
  if (!may_take(flow, session, state, must)) return kTaken;
  if (__sync_val_compare_and_swap(&session->state, state, kBusy) != state) return kLost;
  discount_session(tag, session, flow->outside.protocol, flow->outside.port);
  session->generation = fresh.generation;
  session->address = fresh.address;
  session->port = fresh.port;
  session->used = fresh.used;
  session->final_seq = 0;
  __sync_lock_test_and_set(&session->state, fresh.state);
  __sync_fetch_and_add(&host->sessions, 1);
  COUNT(tag, sessions_made);
  return kClaimed;
}

// Gives `host` one more block, next in its ring. The block's index, 0: none left.
__noinline int add_block(struct flow* flow, struct host* host) {
  if (!flow || !host) return 0;
  __u32 tag = flow->tag, index = 0;
  void* queue = bpf_map_lookup_elem(&free_blocks, &tag);
  struct usage* usage = bpf_map_lookup_elem(&usages, &tag);
  if (!queue || !usage || host->count >= kMaxBlocksOfHost) return 0;
  if (host->count >= kDueBlocks && usage->blocks >= kOpenBlocks) return 0;
  if (bpf_map_pop_elem(queue, &index)) return 0;
  __sync_fetch_and_add(&usage->blocks, 1);
  struct port_block* block = block_at(tag, index);
  if (!block) return 0;
  block->used[kTcp] = 0;
  block->used[kUdp] = 0;
  block->used[kIcmp] = 0;
  block->owner = flow->inside.address;
  block->next = index;
  block->generation = flow->generation;
  struct port_block* current = host->count ? block_at(tag, host->current) : 0;
  for (int i = 0; current && i < kRingTries; ++i) {
    __u32 next = current->next;
    block->next = next;
    if (__sync_val_compare_and_swap(&current->next, next, index) == next) break;
  }
  host->current = index;
  __sync_fetch_and_add(&host->count, 1);
  COUNT(tag, blocks_given);
  report(kEventBlock, tag, flow->inside.address, index * kBlockPorts, flow->generation, BPF_RB_NO_WAKEUP);
  return index;
}

// The container's entry, with at least one block. 0: no port left in the attachment.
static __noinline struct host* host_of(struct flow* flow) {
  __u32 tag = flow->tag, address = flow->inside.address;
  void* table = bpf_map_lookup_elem(&hosts, &tag);
  if (!table) return 0;
  struct host* host = bpf_map_lookup_elem(table, &address);
  if (host && host->generation == flow->generation) return host;
  // An entry of an older generation is of a straggler behind a release: its block comes back with the next release.
  struct host fresh = {.generation = flow->generation};
  bpf_map_update_elem(table, &address, &fresh, host ? BPF_ANY : BPF_NOEXIST);
  host = bpf_map_lookup_elem(table, &address);
  if (!host || host->generation != flow->generation) return 0;
  if (!host->count && !add_block(flow, host)) return 0;
  return host;
}

// Where the search for a port stands: ports that were refused for this destination are not tried again.
struct port_search {
  __u64 refused;  // ports of the block, as bits
  __u32 block;
  __u32 first;  // where the ring is through
  __u32 left;   // blocks of the ring that are looked into, this one included
  __u32 grown;
};

// Marks a random free port of the block, none of `refused`, and returns it. 0: there is none.
static __always_inline __u32 take_port_of(struct port_block* block, __u32 index, int protocol, __u64 refused) {
  __u64* used = &block->used[protocol & 3];
  if (protocol >= kProtocols) return 0;
  for (int i = 0; i < 4; ++i) {
    __u64 free = ~(*used | refused);
    if (!free) return 0;
    __u32 turn = bpf_get_prandom_u32() & 63;
    __u64 turned = turn ? (free >> turn) | (free << (64 - turn)) : free;
    __u32 bit = (__builtin_ctzll(turned) + turn) & 63;
    __u64 mask = 1ull << bit;
    if (!(__sync_fetch_and_or(used, mask) & mask)) return index * kBlockPorts + bit;
  }
  return 0;
}

static __always_inline void give_port_back(__u32 tag, __u32 port, int protocol) {
  struct port_block* block = block_at(tag, port / kBlockPorts);
  if (block && protocol < kProtocols) __sync_fetch_and_and(&block->used[protocol], ~(1ull << (port % kBlockPorts)));
}

// The next port of the container's own blocks that was not refused; grows by a block when those near at hand have none.
// 0: none.
__noinline __u32 take_port(struct flow* flow, struct host* host, struct port_search* search) {
  if (!flow || !host || !search) return 0;
  int protocol = protocol_index(flow->inside.protocol);
  for (int i = 0; i < kRingTries + 2; ++i) {
    struct port_block* block = search->left ? block_at(flow->tag, search->block) : 0;
    if (block && block->generation == flow->generation) {
      __u32 port = take_port_of(block, search->block, protocol, search->refused);
      if (port) {
        if (host->current != search->block) host->current = search->block;
        return port;
      }
      search->block = block->next;
      search->left = search->block == search->first ? 0 : search->left - 1;
    } else {
      if (search->grown) return 0;
      host->current = search->block;
      search->grown = 1;
      search->block = add_block(flow, host);
      if (!search->block) return 0;
      search->left = 1;
    }
    search->refused = 0;
  }
  return 0;
}

// With every port taken: one that is used towards other destinations only, of this block or of the next (the next
// packet goes on behind them). 0: none.
__noinline __u32 share_port(struct flow* flow, struct host* host) {
  if (!flow || !host) return 0;
  __u32 first = bpf_get_prandom_u32();
  for (int i = 0; i < kPortTries; ++i) {
    __u32 index = host->current;
    struct port_block* block = block_at(flow->tag, index);
    if (!block || block->generation != flow->generation) return 0;
    __u32 port = index * kBlockPorts + ((first + i) & (kBlockPorts - 1));
    flow->outside.port = bpf_htons(port);
    int claim = claim_session(flow, 0);
    if (claim == kClaimed || claim == kMine) return port;
    if (claim == kFull) return 0;
    if (i % kBlockPorts == kBlockPorts - 1) host->current = block->next;
  }
  return 0;
}

enum { kMapped = 0, kRaced = 1, kExhausted = 2 };

// Writes the mapping; an outdated one of the same key gives way.
__noinline int write_mapping(struct flow* flow, __u32 shared) {
  if (!flow) return kExhausted;
  struct mapping fresh = {
      .refs = 1, .generation = flow->generation, .port = flow->outside.port, .flags = shared ? kMappingShared : 0};
  __u32 tag = flow->tag;
  void* table = bpf_map_lookup_elem(&mappings, &tag);
  if (!table) return kExhausted;
  struct mapping_key key = flow->inside;
  if (!bpf_map_update_elem(table, &key, &fresh, BPF_NOEXIST)) return kMapped;
  struct mapping* mapping = bpf_map_lookup_elem(table, &key);
  if (!mapping) return kExhausted;
  __u32 refs = mapping->refs;
  if ((refs & kMappingDead) || mapping->generation == flow->generation) return kRaced;
  if (__sync_val_compare_and_swap(&mapping->refs, refs, kMappingDead) != refs) return kRaced;
  mapping->generation = fresh.generation;
  mapping->port = fresh.port;
  mapping->flags = fresh.flags;
  __sync_lock_test_and_set(&mapping->refs, 1);
  return kMapped;
}

__noinline int abandon_session(struct flow* flow) {
  if (!flow) return 0;
  __u32 tag = flow->tag;
  void* table = bpf_map_lookup_elem(&sessions, &tag);
  struct session_key key = flow->outside;
  struct session* session = table ? bpf_map_lookup_elem(table, &key) : 0;
  // Dead and of no generation: the collector deletes it, and nothing is discounted by it.
  if (session && is_mine(flow, session)) {
    struct host* host = host_with(tag, session->address, session->generation);
    if (host) __sync_fetch_and_add(&host->sessions, -1);
    session->generation = 0;
    __sync_lock_test_and_set(&session->state, kDead);
  }
  return 0;
}

// First packet of an inside port.
__noinline int make_mapping(struct flow* flow) {
  if (!flow) return kExhausted;
  struct host* host = host_of(flow);
  if (!host) return kExhausted;
  int protocol = protocol_index(flow->inside.protocol);
  __u32 port = 0, shared = 0;
  struct port_search search = {.block = host->current, .first = host->current, .left = kRingTries};
  for (int i = 0; i < kPortTries; ++i) {
    port = take_port(flow, host, &search);
    if (!port) break;
    flow->outside.port = bpf_htons(port);
    int claim = claim_session(flow, 0);
    if (claim == kClaimed || claim == kMine) break;
    give_port_back(flow->tag, port, protocol);
    search.refused |= 1ull << (port % kBlockPorts);
    port = 0;
    if (claim == kFull) return kExhausted;
  }
  if (!port) {
    port = share_port(flow, host);
    shared = 1;
    if (!port) return kExhausted;
    COUNT(flow->tag, ports_shared);
  }
  int written = write_mapping(flow, shared);
  if (written != kMapped) {
    abandon_session(flow);
    if (!shared) give_port_back(flow->tag, port, protocol);
    return written;
  }
  COUNT(flow->tag, mappings_made);
  return kMapped;
}

// The mapping stands; the destination is new to it, or its session has ended.
__noinline int extend_mapping(struct flow* flow, struct mapping* mapping) {
  if (!flow || !mapping) return kExhausted;
  __u32 refs = __sync_fetch_and_add(&mapping->refs, 1);
  if (refs & kMappingDead) {
    __sync_fetch_and_add(&mapping->refs, -1);
    return kRaced;
  }
  int claim = claim_session(flow, 1);
  if (claim != kClaimed) __sync_fetch_and_add(&mapping->refs, -1);
  if (claim == kLost) return kRaced;
  return claim == kClaimed || claim == kMine ? kMapped : kExhausted;
}
