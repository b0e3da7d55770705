// Neighbours: who has which MAC in the VPCs; packets wait here while that is asked.
//
// A packet whose next hop is unknown is held, the next hop asked by ARP, and sent on when it answers: a first packet is
// never lost to a miss. What has not been answered kResolveMs after it was first wanted is dropped and counted.
// A known neighbour that was not heard of for a while is asked again while packets still use it; one that stays silent
// is forgotten.
//
// Bounds: kMaxAsked addresses asked at a time, kMaxAskedOfTag of them for one attachment; kMaxHeldEach packets for
// each, kMaxHeldOfTag for one attachment, kMaxHeld in all. Single-threaded; the caller gives the time and calls
// expire() when next_deadline() is reached.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gateway/bpf/shared.h"

namespace hearth::gateway {

class Neighbours {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr size_t kMaxAsked = 4096;
  static constexpr size_t kMaxAskedOfTag = 64;
  static constexpr size_t kMaxHeldEach = gateway::kMaxHeldEach;
  static constexpr size_t kMaxHeldOfTag = 128;
  static constexpr size_t kMaxHeld = 4096;
  static constexpr int kResolveMs = 1000;

  // What it needs of the world: the table of the data plane, and a wire.
  struct World {
    std::function<std::optional<attachment>(uint32_t tag)> attachment_of;
    std::function<std::optional<neighbour>(const neighbour_key&)> look_up;
    std::function<void(const neighbour_key&)> set_pending;           // unless an entry is there
    std::function<void(const neighbour_key&, neighbour)> set_stale;  // what answers from then on is told
    std::function<void(const neighbour_key&)> forget;
    std::function<void(uint32_t tag, const std::string& frame)> send;  // tagged
  };
  struct Counters {
    uint64_t requests = 0;
    uint64_t sent_after_wait = 0;
    uint64_t dropped_full = 0;
    uint64_t dropped_unresolved = 0;
    uint64_t dropped_unsendable = 0;
  };
  using Proved = std::function<void(bool proven)>;

  explicit Neighbours(World world) : world_(std::move(world)) {}

  // `address` in network order everywhere.
  // An empty packet could not be held; its next hop is asked all the same.
  void missed(uint32_t tag, uint32_t address, std::span<const uint8_t> packet, Time now);
  void learned(uint32_t tag, uint32_t address);
  void stale(uint32_t tag, uint32_t address, Time now);
  // Calls back once: at once when it was heard of lately, otherwise when it answers or the time is over.
  void prove(uint32_t tag, uint32_t address, Proved done, Time now);
  // A question that an earlier agent left behind.
  void ask_again(uint32_t tag, uint32_t address, Time now) { ask(tag, address, now); }
  void forget_attachment(uint32_t tag);

  void expire(Time now);
  std::optional<Time> next_deadline() const;
  const Counters& counters() const { return counters_; }
  size_t held() const { return held_; }

 private:
  struct Asked {
    Time deadline;
    Time next_request;
    std::chrono::milliseconds interval{100};
    std::vector<std::vector<uint8_t>> packets;
    std::vector<Proved> proofs;
  };
  struct Share {  // of one attachment
    size_t asked = 0;
    size_t held = 0;
  };
  using Key = std::pair<uint32_t, uint32_t>;
  using Questions = std::map<Key, Asked>;

  Asked* ask(uint32_t tag, uint32_t address, Time now);
  void request(const Key& key, Asked& asked, Time now);
  void send(const Key& key, std::span<const uint8_t> packet, const neighbour& to);
  // Each takes the question out first. The next one.
  Questions::iterator answered(Questions::iterator at, const neighbour& who);
  Questions::iterator give_up(Questions::iterator at);
  Asked take(Questions::iterator at);

  World world_;
  Questions asked_;
  std::map<uint32_t, Share> shares_;  // of attachments for which something is asked
  size_t held_ = 0;
  Counters counters_;
};

}  // namespace hearth::gateway
