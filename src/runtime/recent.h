// Recent: the last kRecords invocations, for people. The oldest is overwritten; records keep their storage.
#pragma once

#include <optional>
#include <vector>

#include "runtime/invoker.h"

namespace hearth::runtime {

class Recent {
 public:
  static constexpr size_t kRecords = 10'000;

  // The record to fill in; it holds what its predecessor left.
  InvocationRecord& next() {
    if (records_.size() < kRecords) return records_.emplace_back();
    auto& oldest = records_[first_];
    first_ = (first_ + 1) % kRecords;
    return oldest;
  }

  // Newest first.
  std::vector<InvocationRecord> list(const std::optional<FunctionKey>& function, size_t limit) const {
    std::vector<InvocationRecord> found;
    for (size_t i = records_.size(); i > 0 && found.size() < limit; --i) {
      const auto& record = records_[(first_ + i - 1) % records_.size()];
      if (!function || record.function == *function) found.push_back(record);
    }
    return found;
  }

 private:
  std::vector<InvocationRecord> records_;
  size_t first_ = 0;
};

}  // namespace hearth::runtime
