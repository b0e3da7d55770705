// Reading a claim, and the canonical request and check that follow it, from a request's text.
#include "base/sigv4.h"

#include <cstdint>

#include "base/http_parse.h"

namespace {

using namespace hearth;

std::string_view through(std::string_view& text, char end) {
  auto part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  sigv4::Message message;
  message.method = through(text, ' ');
  message.path = through(text, '?');
  message.query = through(text, '\n');
  std::vector<http::Header> headers;
  while (!text.empty() && text[0] != '\n' && headers.size() < http::Options::kHeaders) {
    auto name = through(text, ':');
    headers.push_back({name, through(text, '\n')});
  }
  message.headers = headers;
  message.body = text;
  static sigv4::Verifier verifier;
  if (auto claim = sigv4::read_claim(message)) {
    WallTime signed_then = std::chrono::sys_days(std::chrono::year(2015) / 8 / 30) + std::chrono::minutes(756);
    if (verifier.verify(message, *claim, "secret", signed_then)) __builtin_trap();  // a forged signature
  }
  if (sigv4::uri_decode(sigv4::uri_encode(text)) != text) __builtin_trap();
  return 0;
}
