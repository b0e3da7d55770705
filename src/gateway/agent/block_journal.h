// BlockJournal: what happened to port blocks, until the warden has taken it (RFC 6888 REQ-12: which container had which
// ports when; never a flow or a destination).
//
// Changes are numbered from 1 within an epoch. Who takes them says how far he got; what he got is forgotten, the rest
// is told again. Where an epoch begins, what was not taken of the one before is followed by `begun`, one `standing` for
// each block that somebody has, and `resumed`: whatever was not told standing by then is over. One begins with each
// agent, with each taker who does not know the last one, and when more than kMaxChanges were not taken: those are
// forgotten, and `begun` says how many.
//
// Times are CLOCK_MONOTONIC in nanoseconds; they leave as ages, since the warden's clock is another one.
// Single-threaded.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "gateway/control.h"

namespace hearth::gateway {

class BlockJournal {
 public:
  static constexpr size_t kMaxChanges = 65536;
  static constexpr size_t kMaxStanding = kMaxChanges / 2;  // more than these: not told, counted as lost

  explicit BlockJournal(uint64_t epoch) : epoch_(epoch) {}

  void add(const BlockChange& change, uint64_t at);
  // Does an epoch have to begin before that taker is told?
  bool must_begin(uint64_t epoch) const { return over_ || (epoch != epoch_ && taken_ > 0); }
  void begin(const std::vector<BlockChange>& standing, uint64_t now);

  // Is there something for the taker who got so far?
  bool has_more(uint64_t epoch, uint64_t serial) const;
  // Forgets what was taken and fills in what comes next. REQUIRES: no epoch has to begin.
  void tell(uint64_t epoch, uint64_t serial, uint64_t now, ControlReply& reply);
  size_t size() const { return changes_.size(); }

 private:
  struct Entry {
    BlockChange change;
    uint64_t at;
  };

  std::deque<Entry> changes_;
  uint64_t epoch_;
  uint64_t taken_ = 0;  // serial of the one before the first
  uint64_t lost_ = 0;   // since the epoch began
  bool over_ = false;
};

}  // namespace hearth::gateway
