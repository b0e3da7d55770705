// Requests as a hostile hearthd may send them, and replies: what decodes must encode to what decodes the same.
#include <cstdint>

#include "warden/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::warden;
  std::string_view datagram(reinterpret_cast<const char*>(data), size);
  std::optional<int64_t> id;
  if (auto request = decode_request(datagram, &id)) {
    std::string wire = encode(*request);
    auto again = decode_request(wire);
    if (!id || !again || encode(*again) != wire) __builtin_trap();
  }
  if (auto frame = decode_server_frame(datagram)) {
    auto encoded = [](const ServerFrame& f) {
      return std::visit([](const auto& message) { return encode(message); }, f);
    };
    std::string wire = encoded(*frame);
    auto again = decode_server_frame(wire);
    if (!again || encoded(*again) != wire) __builtin_trap();
  }
  return 0;
}
