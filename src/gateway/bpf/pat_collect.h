// The collector: a program that user space runs on one attachment. It ends what no packet has touched for its time.
//
// A pass marks what has expired dead and takes back the mark when a packet came meanwhile; what is still dead in the
// next pass is deleted, after it was made busy, so that no packet can revive it in between.
#pragma once

#include "gateway/bpf/pat_ports.h"

struct bpf_map;

struct collect {
  __u32 tag;
  __u32 now;
  __u32 alive;
  __u32 mappings;
  __u32 deleted;
  __u32 blocks;
};

static long collect_session(struct bpf_map* map, struct session_key* key, struct session* session,
                            struct collect* collect) {
  __u32 state = session->state;
  if (state & kBusy) return 0;
  if (state & kDead) {
    if (__sync_val_compare_and_swap(&session->state, state, kBusy) != state) return 0;
    discount_session(collect->tag, session, key->protocol, key->port);
    struct session_key copy = *key;
    if (bpf_map_delete_elem(map, &copy)) return 0;
    struct usage* usage = bpf_map_lookup_elem(&usages, &collect->tag);
    if (usage) __sync_fetch_and_add(&usage->sessions, -1);
    collect->deleted++;
    return 0;
  }
  collect->alive++;
  struct port_block* block = block_at(collect->tag, bpf_ntohs(key->port) / kBlockPorts);
  __u32 used = session->used;
  int over = block && block->generation == session->generation ? expired(state, key->protocol, used, collect->now)
                                                               : elapsed(used, collect->now) > timeouts.hold;
  if (!over) return 0;
  if (__sync_val_compare_and_swap(&session->state, state, state | kDead) != state) return 0;
  if (session->used != used) __sync_val_compare_and_swap(&session->state, state | kDead, state);
  return 0;
}

static long collect_mapping(struct bpf_map* map, struct mapping_key* key, struct mapping* mapping,
                            struct collect* collect) {
  __u32 refs = mapping->refs;
  __u32 port = bpf_ntohs(mapping->port);
  collect->mappings++;
  if (refs & kMappingDead) return 0;
  struct port_block* block = block_at(collect->tag, port / kBlockPorts);
  int outdated = !block || block->generation != mapping->generation;
  if (!outdated && refs != 0) return 0;
  if (__sync_val_compare_and_swap(&mapping->refs, refs, kMappingDead) != refs) return 0;
  if (!outdated && !(mapping->flags & kMappingShared))
    give_port_back(collect->tag, port, protocol_index(key->protocol));
  struct mapping_key copy = *key;
  bpf_map_delete_elem(map, &copy);
  collect->deleted++;
  return 0;
}

static long collect_block(struct bpf_map* map, __u32* index, struct port_block* block, struct collect* collect) {
  collect->blocks += block->generation != 0;
  return 0;
}

// Packets of a neighbour in use have it asked again, and what answers is new. (A pending entry ends with its question.)
static long collect_neighbour(struct bpf_map* map, __u32* address, struct neighbour* neighbour,
                              struct collect* collect) {
  if (neighbour->state == kNeighbourPending) return 0;
  if (elapsed(neighbour->updated, collect->now) <= kNeighbourUnusedTicks) return 0;
  __u32 copy = *address;
  bpf_map_delete_elem(map, &copy);
  return 0;
}

SEC("syscall")
int collect(struct collect_args* args) {
  // Programs of this type have no coarse clock; the fine one is never behind it.
  struct collect state = {.tag = args->tag, .now = bpf_ktime_get_ns() >> kTickShift};
  void* table = bpf_map_lookup_elem(&sessions, &state.tag);
  if (table) bpf_for_each_map_elem(table, collect_session, &state, 0);
  table = bpf_map_lookup_elem(&mappings, &state.tag);
  if (table) bpf_for_each_map_elem(table, collect_mapping, &state, 0);
  table = bpf_map_lookup_elem(&blocks, &state.tag);
  if (table) bpf_for_each_map_elem(table, collect_block, &state, 0);
  struct usage* usage = bpf_map_lookup_elem(&usages, &state.tag);
  if (usage) usage->blocks = state.blocks;
  table = bpf_map_lookup_elem(&neighbours, &state.tag);
  if (table) bpf_for_each_map_elem(table, collect_neighbour, &state, 0);
  args->sessions = state.alive;
  args->mappings = state.mappings;
  args->deleted = state.deleted;
  return 0;
}
