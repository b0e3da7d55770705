// Frames that the agent makes itself: ARP requests, held packets on their way, ICMP errors. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "gateway/bpf/shared.h"

namespace hearth::gateway {

// "Who has `target`?", asked by the attachment, with its tag in the frame. Addresses in network order.
std::string arp_request(uint32_t tag, const attachment& at, uint32_t target);

// A translated packet that waited for its next hop: destination and tag put in, transport checksum computed (a packet
// of a local container had none yet). Refuses what is no IPv4 of TCP, UDP or ICMP.
Result<std::string> finish_packet(std::span<const uint8_t> frame, uint32_t tag, const uint8_t* destination_mac);

// The frame without its tag.
std::string untagged(const std::string& frame);

// The ICMP error that `at` sends to a container about its packet `frame`, as a frame for NIC 0. Never about an ICMP
// error, a fragment behind the first, or a packet from or to a multicast address (RFC 1812 4.3.2.7).
Result<std::string> icmp_error(std::span<const uint8_t> frame, uint32_t tag, uint32_t from_address, uint8_t type,
                               uint8_t code);

}  // namespace hearth::gateway
