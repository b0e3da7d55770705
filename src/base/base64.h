// Base64 of RFC 4648, section 4, with padding.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth {

std::string base64_encode(std::string_view bytes);
// Kind::invalid when it is not base64: white space, padding that is missing or in the middle.
Result<std::string> base64_decode(std::string_view text);

}  // namespace hearth
