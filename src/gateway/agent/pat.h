// Pat: the gateway's programs and maps, from user space.
//
// Maps are pinned and outlive the agent: open() finds them again, puts new programs in place of the old ones under
// traffic, and no session is lost. An attachment's tables are made by set() and go with remove().
//
// Single-threaded. Refuses pinned maps of another shape than this build's (Kind::conflict).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "gateway/bpf/shared.h"

struct pat_bpf;

namespace hearth::gateway {

struct PatOptions {
  std::string pins;        // directory on a BPF file system
  uint32_t nic0 = 0;       // ifindex, in the thread's namespace
  uint32_t nic1 = 0;       // the trunk; 0: VPC ports end in this namespace
  uint32_t port_base = 0;  // then: the port of a tag has this ifindex plus the tag
  bool peer_redirect = false;
  bool preallocate = false;  // sessions' memory at once: 16 MiB an attachment, and faster new connections
  timeouts limits{};         // ticks
};

// The defaults of RFC 4787, 5382 and 5508, and the hold of RFC 6888.
timeouts default_timeouts();
uint32_t ticks(uint32_t seconds);

class Pat {
 public:
  static Result<std::unique_ptr<Pat>> open(const PatOptions& options);
  ~Pat();

  Result<> set(uint32_t tag, const attachment& at);
  Result<> remove(uint32_t tag);
  Result<attachment> get(uint32_t tag) const;
  struct Block {
    uint32_t tag;
    uint32_t external;   // address; network order
    uint32_t container;  // address; network order
    uint32_t generation;
    uint32_t first_port;
  };
  // Ends all sessions of the container: of this generation and older ones. `address` in network order. Answers the
  // blocks that it had.
  Result<std::vector<Block>> release(uint32_t tag, uint32_t address, uint32_t generation);
  // All blocks that containers have.
  Result<std::vector<Block>> held_blocks() const;
  // The address that a port block of an attachment is of; network order.
  uint32_t external_of(uint32_t tag) const;
  // One pass of the collector over one attachment.
  Result<collect_args> collect(uint32_t tag);
  Result<gateway_counters> counters(uint32_t tag) const;
  uint32_t free_blocks(uint32_t tag) const;
  std::vector<uint32_t> tags() const;

  Result<> set_neighbour(const neighbour_key& key, const neighbour& entry, uint64_t flags);
  Result<neighbour> get_neighbour(const neighbour_key& key) const;
  std::vector<neighbour_key> pending_neighbours() const;
  Result<> remove_neighbour(const neighbour_key& key);

  int events_map() const;
  const pat_bpf* skeleton() const { return skeleton_; }

 private:
  struct Tables {
    Fd sessions, mappings, hosts, blocks, free_blocks, neighbours;
  };
  Pat(pat_bpf* skeleton, PatOptions options) : skeleton_(skeleton), options_(std::move(options)) {}
  Result<> attach();
  Result<> attach_port(uint32_t tag) const;
  uint32_t table_flags() const;
  Result<> find_tables();
  Result<Tables> make_tables(uint32_t tag);
  Result<int> neighbours_of(uint32_t tag) const;
  std::vector<std::pair<int, const Fd*>> places(const Tables& tables) const;

  pat_bpf* skeleton_;
  PatOptions options_;
  std::map<uint32_t, Tables> tables_;
};

}  // namespace hearth::gateway
