// Pieces of `hearth invoke` that can be looked at alone.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth::cli {

constexpr size_t kMaxPayload = 6 * 1024 * 1024;

// `text` itself, the content of the file that "@file" names, or standard input for "-". At most kMaxPayload.
Result<std::string> read_payload(const std::string& text);

// "Kind: message" and the stack trace's lines below, out of a function error's payload; the payload when it is another
// shape.
std::string describe_function_error(const std::string& payload);

}  // namespace hearth::cli
