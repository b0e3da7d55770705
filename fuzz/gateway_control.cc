// Control messages between the warden and a gateway: whatever is accepted must be within its limits and encode back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/control.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::gateway;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = decode_control_request(bytes)) {
    if (request->tag > kMaxTag || encode(*request) != bytes) std::abort();
  }
  if (const auto reply = decode_control_reply(bytes)) {
    if (const auto result = outcome(*reply); !result && result.error().message.empty()) std::abort();
  }
  return 0;
}
