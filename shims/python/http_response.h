// The head of an HTTP/1.1 response of the Runtime API, read from a buffer.
//
// Pure; allocates nothing: the texts are views into the buffer. Refuses what the Runtime API does not send: another
// version, transfer encodings, a length that is missing or no number, a head over kMaxHead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hearth::shim {

constexpr size_t kMaxHead = 64 * 1024;  // the client context alone may be 3.5 KiB

// Absent headers have a null data().
struct ResponseHead {
  int status = 0;
  uint64_t content_length = 0;
  bool closes = false;  // "Connection: close"
  std::string_view request_id;
  std::string_view deadline_ms;
  std::string_view function_arn;
  std::string_view trace_id;
  std::string_view client_context;
  std::string_view cognito_identity;
  std::string_view tenant_id;
  std::string_view content_type;
};

// Bytes of the head, its last line included; 0 when more is needed; -1 when it is not a response.
long parse_head(std::string_view bytes, ResponseHead& head);

}  // namespace hearth::shim
