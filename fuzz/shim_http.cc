// Response heads as the Python shim reads them: never beyond the bytes that are there.
#include <cstdint>

#include "http_response.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::shim;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ResponseHead head;
  long used = parse_head(bytes, head);
  if (used > static_cast<long>(size)) __builtin_trap();
  if (used <= 0) return 0;
  for (std::string_view text : {head.request_id, head.deadline_ms, head.function_arn, head.trace_id,
                                head.client_context, head.cognito_identity, head.tenant_id, head.content_type}) {
    if (text.data() != nullptr && (text.data() < bytes.data() || text.data() + text.size() > bytes.data() + used)) {
      __builtin_trap();
    }
  }
  return 0;
}
