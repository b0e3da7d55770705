// The Runtime API's parser, fed in pieces the way RuntimeConnection does: nothing is kept over its limits, and the same
// bytes mean the same requests however they are cut.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/runtime_request.h"

namespace {

using namespace hearth::runtime;

struct Reading {
  std::vector<RuntimeRequest> requests;
  bool refused = false;
};

Reading read(std::string_view text, size_t piece) {
  Reading reading;
  RuntimeRequestParser parser([](const RuntimeRequest& request) { return request.endpoint != Endpoint::unknown; });
  std::string buffer;
  for (size_t at = 0; at < text.size(); at += piece) {
    buffer += text.substr(at, piece);
    while (!buffer.empty()) {
      const auto used = parser.put(buffer);
      if (!used || *used > buffer.size()) {
        if (used) __builtin_trap();
        reading.refused = true;
        return reading;
      }
      buffer.erase(0, *used);
      parser.take_continue();
      if (parser.done()) {
        reading.requests.push_back(parser.take());
      } else if (*used == 0) {
        break;
      }
    }
  }
  return reading;
}

void check(const RuntimeRequest& request) {
  const bool bounded = request.body.size() <= RuntimeRequestParser::kMaxBody &&
                       request.error_type.size() <= RuntimeRequestParser::kMaxErrorType &&
                       request.error_body.size() <= RuntimeRequestParser::kMaxErrorBody;
  if (!bounded || request.request_id.find('/') != std::string::npos) __builtin_trap();
  if (!request.wanted && !request.body.empty()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = read(text, text.size() + 1);
  const auto cut = read(text, data[0] % 64 + 1);
  for (const auto& request : whole.requests) check(request);
  for (const auto& request : cut.requests) check(request);
  // What is refused may be refused a request earlier when more of it is seen at once.
  if (whole.refused || cut.refused) return 0;
  if (whole.requests.size() != cut.requests.size()) __builtin_trap();
  for (size_t i = 0; i < whole.requests.size(); ++i) {
    if (whole.requests[i].body != cut.requests[i].body) __builtin_trap();
    if (whole.requests[i].endpoint != cut.requests[i].endpoint) __builtin_trap();
  }
  return 0;
}
