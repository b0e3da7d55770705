// The registry's form of VPCs, subnets and groups: JSON, with every limit checked on the way in.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "vpc/model.h"

namespace hearth::vpc {

std::string encode(const Vpc& vpc);
std::string encode(const Subnet& subnet);
std::string encode(const Group& group);
Result<Vpc> decode_vpc(std::string_view text);
Result<Subnet> decode_subnet(std::string_view text);
Result<Group> decode_group(std::string_view text);

}  // namespace hearth::vpc
