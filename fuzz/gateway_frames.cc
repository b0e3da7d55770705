// Frames of containers that the gateway's agent finishes or answers.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "gateway/agent/frames.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::gateway;
  const std::span<const uint8_t> frame(data, size);
  const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
  if (const auto finished = finish_packet(frame, 7, mac)) {
    if (finished->size() > size + 4 || untagged(*finished).size() + 4 != finished->size()) std::abort();
  }
  if (const auto error = icmp_error(frame, 7, 0, 3, 13)) {
    if (error->size() > 576 + 18) std::abort();
  }
  return 0;
}
