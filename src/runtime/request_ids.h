// RequestIds: random UUIDs (version 4) from the kernel's generator, which is asked once for many.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace hearth::runtime {

class RequestIds {
 public:
  std::string next();

 private:
  static constexpr size_t kBatch = 256;
  std::array<uint8_t, kBatch * 16> bytes_{};
  size_t used_ = kBatch * 16;
};

}  // namespace hearth::runtime
