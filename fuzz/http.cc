// The request parser: a head whose views must lie in the bytes given, then a chunked body under its limit, both in
// pieces as the network may have them.
#include <cstdint>

#include "base/http_parse.h"

namespace {

using namespace hearth::http;

constexpr size_t kBodyLimit = 64;

void check_within(std::string_view part, std::string_view all) {
  bool within = part.empty() || (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size());
  if (!within) __builtin_trap();
}

// As Connection::read_chunked_body() does.
void take_body(RequestParser& parser, std::string_view bytes, size_t piece) {
  std::string body, waiting;
  Parsed parsed = Parsed::more;
  for (size_t at = 0; parsed == Parsed::more && at < bytes.size(); at += piece) {
    waiting.append(bytes.substr(at, piece));
    size_t consumed = 0;
    parsed = parser.take_chunks(waiting, kBodyLimit, body, consumed);
    if (body.size() > kBodyLimit || consumed > waiting.size()) __builtin_trap();
    waiting.erase(0, consumed);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Head head;
  RequestParser parser(head);
  size_t first = std::min<size_t>(data[0], text.size());
  Parsed parsed = parser.take_head(text.data(), text.data() + first);
  if (parsed == Parsed::more) parsed = parser.take_head(text.data(), text.data() + text.size());
  if (parsed != Parsed::done) return 0;
  check_within(head.method, text);
  check_within(head.target, text);
  if (head.headers.size() > Options::kHeaders) __builtin_trap();
  for (const Header& header : head.headers) {
    check_within(header.name, text);
    check_within(header.value, text);
  }
  if (parser.has_chunked_body()) take_body(parser, text.substr(parser.head_size()), 1 + data[0] % 64);
  return 0;
}
