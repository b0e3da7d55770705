#include "gateway/agent/pat.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <random>

#include "kernel/bpf.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"

// The skeleton is C and names the struct without its namespace.
using hearth::gateway::timeouts;
#include "gateway/pat.skel.h"

namespace hearth::gateway {
namespace {

Result<> pin_maps(pat_bpf* skeleton, const std::string& directory) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    const std::string name = bpf_map__name(map);
    // Settings are each agent's own; inner maps are templates.
    if (name.find('.') != std::string::npos) continue;
    if (bpf_map__set_pin_path(map, (directory + "/" + name).c_str()) != 0) return fail_errno("set pin path of " + name);
  }
  return {};
}

Result<Fd> make_map(bpf_map_type type, const char* name, uint32_t key, uint32_t value, uint32_t entries,
                    uint32_t flags) {
  bpf_map_create_opts options{};
  options.sz = sizeof options;
  options.map_flags = flags;
  Fd map(bpf_map_create(type, name, key, value, entries, &options));
  if (!map.valid()) return fail_errno(std::string("make map ") + name);
  return map;
}

Result<Fd> inner_map(int outer, uint32_t tag) {
  uint32_t id = 0;
  if (bpf_map_lookup_elem(outer, &tag, &id) != 0) return fail_errno("look up inner map");
  Fd map(bpf_map_get_fd_by_id(id));
  if (!map.valid()) return fail_errno("open inner map");
  return map;
}

Result<std::vector<port_block>> all_blocks(int map) {
  std::vector<port_block> blocks(kBlocks);
  std::vector<uint32_t> keys(kBlocks);
  uint32_t next = 0, count = kBlocks;
  // ENOENT says that the end was reached.
  if (bpf_map_lookup_batch(map, nullptr, &next, keys.data(), blocks.data(), &count, nullptr) != 0 && errno != ENOENT)
    return fail_errno("read port blocks");
  return blocks;
}

// All blocks but those of the low ports, in an order that nobody guesses.
Result<> fill_free_blocks(int queue) {
  std::vector<uint32_t> order(kBlocks - kFirstBlock);
  std::iota(order.begin(), order.end(), uint32_t{kFirstBlock});
  std::random_device random;
  std::shuffle(order.begin(), order.end(), random);
  for (const uint32_t block : order) {
    if (bpf_map_update_elem(queue, nullptr, &block, BPF_ANY) != 0) return fail_errno("fill free blocks");
  }
  return {};
}

}  // namespace

uint32_t ticks(uint32_t seconds) {
  return static_cast<uint32_t>((uint64_t{seconds} * 1'000'000'000 + (uint64_t{1} << kTickShift) - 1) >> kTickShift);
}

timeouts default_timeouts() {
  return timeouts{.tcp_established = ticks(7440),
                  .tcp_transitory = ticks(240),
                  .udp = ticks(300),
                  .icmp = ticks(60),
                  .hold = ticks(120)};
}

Result<std::unique_ptr<Pat>> Pat::open(const PatOptions& options) {
  kernel::quiet_libbpf();
  TRY(kernel::make_directories(options.pins));
  pat_bpf* skeleton = pat_bpf__open();
  if (skeleton == nullptr) return fail_errno("open BPF object");
  std::unique_ptr<Pat> pat(new Pat(skeleton, options));
  skeleton->rodata->timeouts = options.limits;
  skeleton->rodata->nic0 = options.nic0;
  skeleton->rodata->nic1 = options.nic1;
  skeleton->rodata->port_base = options.port_base;
  skeleton->rodata->peer_redirect = options.peer_redirect;
  for (bpf_map* map : {skeleton->maps.sessions, skeleton->maps.mappings}) {
    if (bpf_map__set_map_flags(bpf_map__inner_map(map), pat->table_flags()) != 0) return fail_errno("set map flags");
  }
  TRY(pin_maps(skeleton, options.pins));
  if (const int error = pat_bpf__load(skeleton); error != 0) {
    const bool other_shape = error == -EINVAL && kernel::libbpf_words().find("reuse") != std::string::npos;
    Failure failure = fail_errno("load gateway programs (" + kernel::libbpf_words() + ")", -error);
    if (other_shape) failure.error().kind = Kind::conflict;
    return failure;
  }
  TRY(pat->find_tables());
  if (options.nic0 != 0) TRY(pat->attach());
  return pat;
}

Pat::~Pat() { pat_bpf__destroy(skeleton_); }

uint32_t Pat::table_flags() const { return options_.preallocate ? 0 : BPF_F_NO_PREALLOC; }

Result<> Pat::attach() {
  using kernel::Hook;
  TRY(kernel::attach_program(options_.nic0, Hook::ingress, bpf_program__fd(skeleton_->progs.pat_out), "pat_out"));
  TRY_ASSIGN(auto netlink, kernel::Netlink::open());
  kernel::Batch batch;
  batch.up(options_.nic0);
  if (options_.nic1 != 0) {
    TRY(kernel::attach_program(options_.nic1, Hook::ingress, bpf_program__fd(skeleton_->progs.pat_in), "pat_in"));
    batch.up(options_.nic1);
  }
  TRY(netlink.run(batch));
  for (const auto& [tag, tables] : tables_) {
    auto attached = attach_port(tag);
    // Its port went with its VPC; the attachment's removal is on its way.
    if (!attached && attached.error().errno_value != ENODEV) return attached;
  }
  return {};
}

// Programs of a port that ends in this namespace.
Result<> Pat::attach_port(uint32_t tag) const {
  if (options_.port_base == 0) return {};
  return kernel::attach_program(options_.port_base + tag, kernel::Hook::ingress,
                                bpf_program__fd(skeleton_->progs.pat_in), "pat_in");
}

std::vector<std::pair<int, const Fd*>> Pat::places(const Tables& tables) const {
  const auto& maps = skeleton_->maps;
  return {{bpf_map__fd(maps.sessions), &tables.sessions},
          {bpf_map__fd(maps.mappings), &tables.mappings},
          {bpf_map__fd(maps.hosts), &tables.hosts},
          {bpf_map__fd(maps.blocks), &tables.blocks},
          {bpf_map__fd(maps.free_blocks), &tables.free_blocks},
          {bpf_map__fd(maps.neighbours), &tables.neighbours}};
}

Result<> Pat::find_tables() {
  const auto& maps = skeleton_->maps;
  for (uint32_t tag = 1; tag <= kMaxTag; ++tag) {
    attachment at{};
    TRY(kernel::map_get(bpf_map__fd(maps.attachments), tag, at));
    if (at.state == 0) continue;
    Tables tables;
    TRY_ASSIGN(tables.sessions, inner_map(bpf_map__fd(maps.sessions), tag));
    TRY_ASSIGN(tables.mappings, inner_map(bpf_map__fd(maps.mappings), tag));
    TRY_ASSIGN(tables.hosts, inner_map(bpf_map__fd(maps.hosts), tag));
    TRY_ASSIGN(tables.blocks, inner_map(bpf_map__fd(maps.blocks), tag));
    TRY_ASSIGN(tables.free_blocks, inner_map(bpf_map__fd(maps.free_blocks), tag));
    TRY_ASSIGN(tables.neighbours, inner_map(bpf_map__fd(maps.neighbours), tag));
    tables_.emplace(tag, std::move(tables));
  }
  return {};
}

Result<Pat::Tables> Pat::make_tables(uint32_t tag) {
  Tables tables;
  TRY_ASSIGN(tables.sessions, make_map(BPF_MAP_TYPE_HASH, "sessions", sizeof(session_key), sizeof(session),
                                       kMaxSessions, table_flags()));
  TRY_ASSIGN(tables.mappings, make_map(BPF_MAP_TYPE_HASH, "mappings", sizeof(mapping_key), sizeof(mapping),
                                       kMaxMappings, table_flags()));
  TRY_ASSIGN(tables.hosts,
             make_map(BPF_MAP_TYPE_HASH, "hosts", sizeof(uint32_t), sizeof(host), kMaxHosts, BPF_F_NO_PREALLOC));
  TRY_ASSIGN(tables.blocks, make_map(BPF_MAP_TYPE_ARRAY, "blocks", sizeof(uint32_t), sizeof(port_block), kBlocks, 0));
  TRY_ASSIGN(tables.free_blocks, make_map(BPF_MAP_TYPE_QUEUE, "free_blocks", 0, sizeof(uint32_t), kBlocks, 0));
  TRY_ASSIGN(tables.neighbours, make_map(BPF_MAP_TYPE_HASH, "neighbours", sizeof(uint32_t), sizeof(neighbour),
                                         kMaxNeighbours, BPF_F_NO_PREALLOC));
  TRY(fill_free_blocks(tables.free_blocks.get()));
  TRY(kernel::map_put(bpf_map__fd(skeleton_->maps.usages), tag, usage{}));
  for (const auto& [outer, inner] : places(tables)) {
    const int fd = inner->get();
    TRY(kernel::map_put(outer, tag, fd));
  }
  return tables;
}

Result<> Pat::set(uint32_t tag, const attachment& at) {
  TRY_ASSIGN(const attachment known, get(tag));
  // Another address: sessions of the old one mean nothing any more.
  if (known.state != 0 && known.address != at.address) TRY(remove(tag));
  if (!tables_.contains(tag)) {
    TRY_ASSIGN(Tables made, make_tables(tag));
    tables_.emplace(tag, std::move(made));
  }
  if (at.state == kAttachmentActive) TRY(attach_port(tag));
  return kernel::map_put(bpf_map__fd(skeleton_->maps.attachments), tag, at);
}

Result<> Pat::remove(uint32_t tag) {
  const attachment none{};
  TRY(kernel::map_put(bpf_map__fd(skeleton_->maps.attachments), tag, none));
  // Also when they are not known: an agent may have been killed between this line and the one above.
  for (const auto& [outer, inner] : places(Tables{})) TRY(kernel::map_remove(outer, tag));
  tables_.erase(tag);
  return {};
}

Result<attachment> Pat::get(uint32_t tag) const {
  attachment at{};
  TRY(kernel::map_get(bpf_map__fd(skeleton_->maps.attachments), tag, at));
  return at;
}

uint32_t Pat::external_of(uint32_t tag) const {
  const auto at = get(tag);
  return at ? at->address : 0;
}

Result<std::vector<Pat::Block>> Pat::held_blocks() const {
  std::vector<Block> held;
  for (const auto& [tag, tables] : tables_) {
    TRY_ASSIGN(const auto blocks, all_blocks(tables.blocks.get()));
    const uint32_t external = external_of(tag);
    for (uint32_t index = kFirstBlock; index < kBlocks; ++index) {
      const port_block& block = blocks[index];
      if (block.generation != 0) held.push_back({tag, external, block.owner, block.generation, index * kBlockPorts});
    }
  }
  return held;
}

Result<std::vector<Pat::Block>> Pat::release(uint32_t tag, uint32_t address, uint32_t generation) {
  std::vector<Block> freed;
  const auto found = tables_.find(tag);
  if (found == tables_.end()) return freed;
  const Tables& tables = found->second;
  // Whoever holds a block has an entry here; most containers that end never sent a packet.
  host entry{};
  if (!kernel::map_get(tables.hosts.get(), address, entry)) return freed;
  const uint32_t external = external_of(tag);
  TRY_ASSIGN(const auto blocks, all_blocks(tables.blocks.get()));
  for (uint32_t index = kFirstBlock; index < kBlocks; ++index) {
    const port_block& block = blocks[index];
    const bool older = static_cast<int32_t>(generation - block.generation) >= 0;
    if (block.generation == 0 || block.owner != address || !older) continue;
    // No generation: every session and mapping of the block is outdated from here on.
    TRY(kernel::map_put(tables.blocks.get(), index, port_block{}));
    if (bpf_map_update_elem(tables.free_blocks.get(), nullptr, &index, BPF_ANY) != 0) return fail_errno("free block");
    freed.push_back({tag, external, address, block.generation, index * kBlockPorts});
  }
  if (static_cast<int32_t>(generation - entry.generation) >= 0) TRY(kernel::map_remove(tables.hosts.get(), address));
  return freed;
}

Result<collect_args> Pat::collect(uint32_t tag) {
  collect_args arguments{.tag = tag, .sessions = 0, .mappings = 0, .deleted = 0};
  bpf_test_run_opts options{};
  options.sz = sizeof options;
  options.ctx_in = &arguments;
  options.ctx_size_in = sizeof arguments;
  if (bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.collect), &options) != 0)
    return fail_errno("run collector");
  return arguments;
}

Result<gateway_counters> Pat::counters(uint32_t tag) const {
  std::vector<gateway_counters> each(static_cast<size_t>(kernel::possible_cpus()));
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.gateway_counts), &tag, each.data()) != 0)
    return fail_errno("read counters");
  gateway_counters sum{};
  for (const auto& one : each) {
#define HEARTH_ADD(field) sum.field += one.field;
    HEARTH_GATEWAY_COUNTERS(HEARTH_ADD)
#undef HEARTH_ADD
  }
  return sum;
}

uint32_t Pat::free_blocks(uint32_t tag) const {
  const auto found = tables_.find(tag);
  if (found == tables_.end()) return 0;
  const auto blocks = all_blocks(found->second.blocks.get());
  if (!blocks) return 0;
  return static_cast<uint32_t>(std::count_if(blocks->begin() + kFirstBlock, blocks->end(),
                                             [](const port_block& block) { return block.generation == 0; }));
}

std::vector<uint32_t> Pat::tags() const {
  std::vector<uint32_t> tags;
  for (const auto& [tag, tables] : tables_) tags.push_back(tag);
  return tags;
}

Result<int> Pat::neighbours_of(uint32_t tag) const {
  const auto found = tables_.find(tag);
  if (found == tables_.end()) return fail(Kind::not_found, "no attachment " + std::to_string(tag));
  return found->second.neighbours.get();
}

Result<> Pat::set_neighbour(const neighbour_key& key, const neighbour& entry, uint64_t flags) {
  TRY_ASSIGN(const int table, neighbours_of(key.tag));
  return kernel::map_put(table, key.address, entry, flags);
}

Result<neighbour> Pat::get_neighbour(const neighbour_key& key) const {
  TRY_ASSIGN(const int table, neighbours_of(key.tag));
  neighbour entry{};
  TRY(kernel::map_get(table, key.address, entry));
  return entry;
}

std::vector<neighbour_key> Pat::pending_neighbours() const {
  std::vector<neighbour_key> pending;
  for (const auto& [tag, tables] : tables_) {
    for (const auto address : kernel::map_keys<uint32_t>(tables.neighbours.get())) {
      const neighbour_key key{.tag = tag, .address = address};
      const auto entry = get_neighbour(key);
      if (entry && entry->state != kNeighbourValid) pending.push_back(key);
    }
  }
  return pending;
}

Result<> Pat::remove_neighbour(const neighbour_key& key) {
  const auto table = neighbours_of(key.tag);
  if (!table) return {};  // gone with its attachment
  return kernel::map_remove(*table, key.address);
}

int Pat::events_map() const { return bpf_map__fd(skeleton_->maps.events); }

}  // namespace hearth::gateway
