#include "gateway/agent/frames.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <algorithm>
#include <cstring>

namespace hearth::gateway {
namespace {

constexpr size_t kMacSize = 6;
constexpr size_t kVlanFrame = 18;  // Ethernet header with a tag
constexpr size_t kIpHeader = 20;
constexpr size_t kQuotedBytes = 548;  // of the offending packet (RFC 1812 4.3.2.3: the error stays below 576)

void put16(std::string& to, uint16_t host_order) {
  to.push_back(static_cast<char>(host_order >> 8));
  to.push_back(static_cast<char>(host_order & 0xff));
}

void put(std::string& to, const void* data, size_t size) { to.append(static_cast<const char*>(data), size); }

std::string tagged_header(const uint8_t* destination, const uint8_t* source, uint32_t tag, uint16_t protocol) {
  std::string header;
  put(header, destination, kMacSize);
  put(header, source, kMacSize);
  put16(header, ETH_P_8021Q);
  put16(header, static_cast<uint16_t>(tag));
  put16(header, protocol);
  return header;
}

uint32_t sum_of(const uint8_t* data, size_t size, uint32_t sum) {
  for (size_t i = 0; i + 1 < size; i += 2) sum += static_cast<uint32_t>(data[i] << 8 | data[i + 1]);
  if (size % 2 != 0) sum += static_cast<uint32_t>(data[size - 1] << 8);
  return sum;
}

uint16_t folded(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void store16(uint8_t* at, uint16_t host_order) {
  at[0] = static_cast<uint8_t>(host_order >> 8);
  at[1] = static_cast<uint8_t>(host_order & 0xff);
}

struct Packet {
  size_t header = 0;  // bytes of the IP header
  size_t size = 0;    // of the IP packet
  uint8_t protocol = 0;
};

// The IPv4 packet in `bytes`; padding behind it does not count.
Result<Packet> read_ip(std::span<const uint8_t> bytes, bool may_be_cut) {
  if (bytes.size() < kIpHeader || bytes[0] >> 4 != 4) return fail(Kind::invalid, "no IPv4 packet");
  Packet packet;
  packet.header = static_cast<size_t>(bytes[0] & 0xf) * 4;
  packet.size = static_cast<size_t>(bytes[2] << 8 | bytes[3]);
  packet.protocol = bytes[9];
  if (may_be_cut) packet.size = std::min(packet.size, bytes.size());
  if (packet.header < kIpHeader || packet.size < packet.header || packet.size > bytes.size())
    return fail(Kind::invalid, "IPv4 packet of a wrong size");
  return packet;
}

// Where the transport checksum is; npos when the protocol has none that we know.
size_t sum_offset(uint8_t protocol) {
  if (protocol == IPPROTO_TCP) return 16;
  if (protocol == IPPROTO_UDP) return 6;
  if (protocol == IPPROTO_ICMP) return 2;
  return std::string::npos;
}

Result<> compute_sum(uint8_t* ip, const Packet& packet) {
  const size_t offset = sum_offset(packet.protocol);
  uint8_t* body = ip + packet.header;
  const size_t size = packet.size - packet.header;
  if (offset == std::string::npos || size < offset + 2) return fail(Kind::invalid, "no transport header");
  const bool none = packet.protocol == IPPROTO_UDP && body[6] == 0 && body[7] == 0;
  if (none) return {};
  store16(body + offset, 0);
  uint32_t sum = 0;
  if (packet.protocol != IPPROTO_ICMP) {
    sum = sum_of(ip + 12, 8, 0) + packet.protocol + static_cast<uint32_t>(size);
  }
  uint16_t value = folded(sum_of(body, size, sum));
  if (value == 0 && packet.protocol == IPPROTO_UDP) value = 0xffff;
  store16(body + offset, value);
  return {};
}

bool may_answer(std::span<const uint8_t> ip, const Packet& packet) {
  const bool later_fragment = ((ip[6] << 8 | ip[7]) & 0x1fff) != 0;
  if (later_fragment || ip[12] >= 224 || ip[16] >= 224) return false;
  if (packet.protocol != IPPROTO_ICMP) return true;
  if (packet.size < packet.header + 8) return false;
  const uint8_t type = ip[packet.header];
  return type == 0 || type == 8;
}

}  // namespace

std::string arp_request(uint32_t tag, const attachment& at, uint32_t target) {
  const uint8_t everyone[kMacSize] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  const uint8_t unknown[kMacSize] = {};
  std::string frame = tagged_header(everyone, at.mac, tag, ETH_P_ARP);
  put16(frame, 1);
  put16(frame, ETH_P_IP);
  frame.push_back(6);
  frame.push_back(4);
  put16(frame, 1);
  put(frame, at.mac, kMacSize);
  put(frame, &at.address, 4);
  put(frame, unknown, kMacSize);
  put(frame, &target, 4);
  return frame;
}

Result<std::string> finish_packet(std::span<const uint8_t> frame, uint32_t tag, const uint8_t* destination_mac) {
  if (frame.size() < ETH_HLEN) return fail(Kind::invalid, "no Ethernet frame");
  TRY_ASSIGN(const Packet packet, read_ip(frame.subspan(ETH_HLEN), false));
  std::string finished = tagged_header(destination_mac, frame.data() + kMacSize, tag, ETH_P_IP);
  put(finished, frame.data() + ETH_HLEN, packet.size);
  TRY(compute_sum(reinterpret_cast<uint8_t*>(finished.data()) + kVlanFrame, packet));
  return finished;
}

std::string untagged(const std::string& frame) {
  return frame.substr(0, 2 * kMacSize) + frame.substr(2 * kMacSize + 4);
}

Result<std::string> icmp_error(std::span<const uint8_t> frame, uint32_t tag, uint32_t from_address, uint8_t type,
                               uint8_t code) {
  if (frame.size() < ETH_HLEN) return fail(Kind::invalid, "no Ethernet frame");
  const auto ip = frame.subspan(ETH_HLEN);
  TRY_ASSIGN(const Packet packet, read_ip(ip, true));
  if (!may_answer(ip, packet)) return fail(Kind::invalid, "no ICMP error about this packet");
  const size_t quoted = std::min(packet.size, kQuotedBytes);
  std::string answer = tagged_header(frame.data() + kMacSize, frame.data(), tag, ETH_P_IP);
  const size_t total = kIpHeader + 8 + quoted;
  const uint8_t head[12] = {
      0x45, 0, static_cast<uint8_t>(total >> 8), static_cast<uint8_t>(total & 0xff), 0, 0, 0, 0, 64, IPPROTO_ICMP};
  put(answer, head, sizeof head);
  put(answer, &from_address, 4);
  put(answer, ip.data() + 12, 4);
  const uint8_t icmp[8] = {type, code};
  put(answer, icmp, sizeof icmp);
  put(answer, ip.data(), quoted);
  auto* out = reinterpret_cast<uint8_t*>(answer.data()) + kVlanFrame;
  store16(out + 10, folded(sum_of(out, kIpHeader, 0)));
  store16(out + kIpHeader + 2, folded(sum_of(out + kIpHeader, 8 + quoted, 0)));
  return answer;
}

}  // namespace hearth::gateway
