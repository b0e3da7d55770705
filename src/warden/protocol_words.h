// The words of the protocol: names of operations and replies, and what fields of a few values may say. For protocol.cc.
#pragma once

#include <array>
#include <string_view>
#include <variant>

#include "warden/protocol.h"

namespace hearth::warden {

constexpr std::array<std::string_view, 3> kStates = {"making", "warm", "bound"};
constexpr std::array<std::string_view, 4> kCauses = {"exited", "signaled", "killed", "lost"};
constexpr std::array<std::string_view, 3> kDrivers = {"netns", "vm", "auto"};
constexpr std::array<std::string_view, 5> kNetworkKinds = {"attachment", "host", "policy", "subnet", "vpc"};
constexpr std::array<std::string_view, 6> kBlockChanges = {"given",   "standing", "released",
                                                           "cleared", "begun",    "resumed"};
constexpr std::array<std::string_view, 4> kProtocols = {"tcp", "udp", "icmp", "-1"};

template <typename Variant>
using Words = std::array<std::string_view, std::variant_size_v<Variant>>;
// In the order of the Request and Reply alternatives.
constexpr Words<Request> kOps = {"hello",
                                 "list_containers",
                                 "make_container",
                                 "adopt_container",
                                 "bind",
                                 "kill",
                                 "freeze",
                                 "ensure_gateway",
                                 "ensure_vpc",
                                 "ensure_subnet",
                                 "delete_vpc",
                                 "delete_subnet",
                                 "ensure_attachment",
                                 "ensure_outside",
                                 "delete_attachment",
                                 "ensure_policy",
                                 "delete_policy",
                                 "add_vpc_host",
                                 "delete_vpc_host",
                                 "attach_vpc_bridge",
                                 "attach_vpc_vxlan",
                                 "detach_vpc",
                                 "list_network",
                                 "gateway_stats",
                                 "take_blocks"};
constexpr Words<Reply> kReplies = {"done",       "hello",        "list_containers", "container",  "bind",
                                   "attachment", "list_network", "gateway_stats",   "take_blocks"};

}  // namespace hearth::warden
