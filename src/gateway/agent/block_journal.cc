#include "gateway/agent/block_journal.h"

#include <algorithm>
#include <limits>

namespace hearth::gateway {

void BlockJournal::add(const BlockChange& change, uint64_t at) {
  if (!over_ && changes_.size() >= kMaxChanges) {
    lost_ += changes_.size();
    changes_.clear();
    over_ = true;
  }
  if (over_) {
    ++lost_;
    return;
  }
  changes_.push_back({change, at});
}

void BlockJournal::begin(const std::vector<BlockChange>& standing, uint64_t now) {
  if (over_ || taken_ > 0) ++epoch_;
  over_ = false;
  taken_ = 0;
  const size_t told = std::min(standing.size(), kMaxStanding);
  lost_ += standing.size() - told;
  if (changes_.size() + told + 2 > kMaxChanges) {
    lost_ += changes_.size();
    changes_.clear();
  }
  BlockChange begun{};
  begun.kind = BlockChange::kBegun;
  begun.count = static_cast<uint32_t>(std::min<uint64_t>(lost_, std::numeric_limits<uint32_t>::max()));
  lost_ = 0;
  changes_.push_back({begun, now});
  for (size_t i = 0; i < told; ++i) {
    changes_.push_back({standing[i], now});
    changes_.back().change.kind = BlockChange::kStanding;
  }
  if (told < standing.size()) return;
  BlockChange resumed{};
  resumed.kind = BlockChange::kResumed;
  changes_.push_back({resumed, now});
}

bool BlockJournal::has_more(uint64_t epoch, uint64_t serial) const {
  if (must_begin(epoch)) return true;
  return epoch != epoch_ ? !changes_.empty() : taken_ + changes_.size() > serial;
}

void BlockJournal::tell(uint64_t epoch, uint64_t serial, uint64_t now, ControlReply& reply) {
  if (epoch == epoch_ && serial > taken_) {
    const auto done = static_cast<std::ptrdiff_t>(std::min<uint64_t>(serial - taken_, changes_.size()));
    changes_.erase(changes_.begin(), changes_.begin() + done);
    taken_ += static_cast<uint64_t>(done);
  }
  const size_t count = std::min(changes_.size(), kMaxChangesEach);
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = changes_[i];
    reply.changes[i] = entry.change;
    const uint64_t age_ms = now > entry.at ? (now - entry.at) / 1'000'000 : 0;
    reply.changes[i].age_ms = static_cast<uint32_t>(std::min<uint64_t>(age_ms, std::numeric_limits<uint32_t>::max()));
  }
  reply.change_count = static_cast<uint32_t>(count);
  reply.epoch = epoch_;
  reply.serial = taken_ + count;
}

}  // namespace hearth::gateway
