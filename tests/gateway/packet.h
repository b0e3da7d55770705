// Packets as tests write and read them, and the sockets that they go through.
//
// Pure functions, but for those that take a socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace hearth::gateway::test {

// Numbers in host order.
struct Packet {
  uint32_t tag = 7;
  std::string source_mac = "02:64:00:00:00:01";
  std::string destination_mac = "02:64:00:00:00:00";
  std::string source = "100.64.1.0";
  std::string destination = "10.0.0.10";
  uint8_t protocol = 17;
  uint8_t ttl = 64;
  uint16_t id = 0x1234;
  uint16_t fragment = 0;        // flags and offset
  uint8_t option_words = 0;     // of IP options (no operation)
  uint16_t source_port = 5000;  // ICMP: identifier
  uint16_t destination_port = 53;
  uint32_t seq = 0;
  uint32_t ack = 0;
  uint8_t tcp_flags = 0;
  std::string tcp_options;
  uint8_t icmp_type = 8;
  uint8_t icmp_code = 0;
  uint16_t icmp_second = 1;  // sequence number; of "fragmentation needed" the MTU
  std::string payload = "payload";
  bool no_checksum = false;  // UDP

  // Read only: were they right?
  bool ip_sum_good = false;
  bool sum_good = false;
};

std::string build(const Packet& packet);           // with the tag in the frame
std::string build_untagged(const Packet& packet);  // the frame without
std::string build_ip(const Packet& packet);        // from the IP header on
std::optional<Packet> parse(const std::string& frame, uint32_t tag);
// A packet that stands in another's payload; what is cut off is missing. `ip`: from its IP header on.
std::optional<Packet> parse_ip(const std::string& ip);
// The frames of the packet's fragments, `size` bytes (a multiple of eight) of what is behind the IP header each.
std::vector<std::string> build_fragments(const Packet& packet, size_t size);

// What the receiver of `seen` answers.
Packet answer(const Packet& seen);
// "Destination unreachable" for `code`, about a packet that is given from its IP header on.
Packet icmp_error(uint8_t code, const std::string& about);

constexpr uint8_t kSyn = 2, kFin = 1, kReset = 4, kPush = 8, kAck = 16;
constexpr uint16_t kMoreFragments = 0x2000, kDontFragment = 0x4000;

// Sees what arrives at an interface of the thread's namespace, nothing of what leaves it.
Fd packet_socket(uint32_t ifindex);
void write_frame(int socket, const std::string& frame);
// The next frame, and its tag; "" when none comes in time.
std::string read_frame(int socket, uint32_t& tag, int timeout_ms);

}  // namespace hearth::gateway::test
