#include "runtime/demand.h"

#include <algorithm>
#include <cmath>

namespace hearth::runtime {

void DemandMeter::advance(MonotonicTime now) const {
  const int64_t slot = slot_of(now);
  if (slot <= newest_) return;
  const int64_t from = std::max(newest_ + 1, slot - static_cast<int64_t>(kSlots) + 1);
  for (int64_t i = from; i <= slot; ++i) slots_[static_cast<size_t>(i) % kSlots] = 0;
  newest_ = slot;
}

void DemandMeter::taken(MonotonicTime now) {
  advance(now);
  ++slots_[static_cast<size_t>(newest_) % kSlots];
}

double DemandMeter::rate(MonotonicTime now) const {
  advance(now);
  uint64_t sum = 0;
  for (int64_t i = newest_; i > newest_ - 100; --i) sum += slots_[static_cast<size_t>(i + kSlots) % kSlots];
  return static_cast<double>(sum) / 10.0;
}

int64_t DemandMeter::wanted(MonotonicTime now, double make_seconds) const {
  const double meanwhile = rate(now) * make_seconds * 2;
  const uint32_t burst = *std::ranges::max_element(slots_);
  return std::max(static_cast<int64_t>(std::ceil(meanwhile)), static_cast<int64_t>(burst));
}

}  // namespace hearth::runtime
