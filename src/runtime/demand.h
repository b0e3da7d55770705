// DemandMeter: how many containers of a runtime were taken lately, and how many should stand ready.
//
// Remembers a minute in slots of 100 ms. The stock that follows from it covers what may be taken while a replacement is
// made, twice over, or the largest burst of the last minute (takes within one slot), whichever is more.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace hearth::runtime {

class DemandMeter {
 public:
  static constexpr size_t kSlots = 600;
  static constexpr std::chrono::milliseconds kSlot{100};

  void taken(MonotonicTime now);
  // Takes a second, over the last ten.
  double rate(MonotonicTime now) const;
  int64_t wanted(MonotonicTime now, double make_seconds) const;

 private:
  void advance(MonotonicTime now) const;
  static int64_t slot_of(MonotonicTime time) { return time.time_since_epoch() / kSlot; }

  mutable std::array<uint32_t, kSlots> slots_{};
  mutable int64_t newest_ = 0;
};

}  // namespace hearth::runtime
