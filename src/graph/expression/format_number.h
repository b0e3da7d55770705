// $formatNumber: decimal format pictures (XPath F&O 3.1, 4.7), as the reference implements them.
#pragma once

#include <string>
#include <string_view>

#include "graph/expression/fault.h"
#include "graph/expression/value.h"

namespace hearth::expression {

// `options` is undefined or an object of symbols ("decimal-separator" …). D3080–D3093 for malformed pictures.
Eval<std::string> format_number(double number, std::string_view picture, const Value& options);

}  // namespace hearth::expression
