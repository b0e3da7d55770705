#include "tests/gateway/packet.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "kernel/netlink.h"

namespace hearth::gateway::test {
namespace {

void put16(std::string& to, uint16_t value) {
  to.push_back(static_cast<char>(value >> 8));
  to.push_back(static_cast<char>(value));
}
void put32(std::string& to, uint32_t value) {
  put16(to, static_cast<uint16_t>(value >> 16));
  put16(to, static_cast<uint16_t>(value));
}
uint8_t at(const std::string& bytes, size_t offset) { return static_cast<uint8_t>(bytes[offset]); }
uint16_t get16(const std::string& bytes, size_t offset) {
  return static_cast<uint16_t>(at(bytes, offset) << 8 | at(bytes, offset + 1));
}
uint32_t get32(const std::string& bytes, size_t offset) {
  return static_cast<uint32_t>(get16(bytes, offset)) << 16 | get16(bytes, offset + 2);
}
void set16(std::string& bytes, size_t offset, uint16_t value) {
  bytes[offset] = static_cast<char>(value >> 8);
  bytes[offset + 1] = static_cast<char>(value);
}

uint16_t folded(const std::string& bytes, size_t from, size_t to, uint32_t sum = 0) {
  for (size_t i = from; i + 1 < to; i += 2) sum += get16(bytes, i);
  if ((to - from) % 2) sum += static_cast<uint32_t>(at(bytes, to - 1) << 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

void put_mac(std::string& to, const std::string& text) {
  unsigned bytes[6] = {};
  std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4], &bytes[5]);
  for (const unsigned byte : bytes) to.push_back(static_cast<char>(byte));
}

std::string mac_at(const std::string& bytes, size_t offset) {
  kernel::Mac mac;
  std::memcpy(mac.data(), bytes.data() + offset, 6);
  return kernel::to_string(mac);
}

std::string ethernet(const Packet& packet) {
  std::string frame;
  put_mac(frame, packet.destination_mac);
  put_mac(frame, packet.source_mac);
  return frame;
}

size_t sum_place(uint8_t protocol) { return protocol == 6 ? 16 : protocol == 17 ? 6 : 2; }

uint32_t pseudo_sum(const std::string& ip, size_t header, uint8_t protocol) {
  if (protocol == 1) return 0;
  return folded(ip, 12, 20) + protocol + static_cast<uint32_t>(ip.size() - header);
}

std::string transport(const Packet& packet) {
  std::string body;
  if (packet.protocol == 1) {
    body.push_back(static_cast<char>(packet.icmp_type));
    body.push_back(static_cast<char>(packet.icmp_code));
    put16(body, 0);
    put16(body, packet.source_port);
    put16(body, packet.icmp_second);
  } else {
    put16(body, packet.source_port);
    put16(body, packet.destination_port);
    if (packet.protocol == 6) {
      put32(body, packet.seq);
      put32(body, packet.ack);
      body.push_back(static_cast<char>((5 + packet.tcp_options.size() / 4) << 4));
      body.push_back(static_cast<char>(packet.tcp_flags));
      put16(body, 65535);
      put32(body, 0);
      body += packet.tcp_options;
    } else {
      put16(body, static_cast<uint16_t>(8 + packet.payload.size()));
      put16(body, 0);
    }
  }
  return body + packet.payload;
}

}  // namespace

std::string build_ip(const Packet& packet) {
  const std::string body = transport(packet);
  const size_t header = 20 + 4 * static_cast<size_t>(packet.option_words);
  std::string ip;
  ip.push_back(static_cast<char>(0x40 | header / 4));
  ip.push_back(0);
  put16(ip, static_cast<uint16_t>(header + body.size()));
  put16(ip, packet.id);
  put16(ip, packet.fragment);
  ip.push_back(static_cast<char>(packet.ttl));
  ip.push_back(static_cast<char>(packet.protocol));
  put16(ip, 0);
  put32(ip, *kernel::parse_address(packet.source));
  put32(ip, *kernel::parse_address(packet.destination));
  ip.append(4 * static_cast<size_t>(packet.option_words), '\1');
  set16(ip, 10, static_cast<uint16_t>(~folded(ip, 0, header)));
  ip += body;
  if (packet.no_checksum) return ip;
  const auto sum = static_cast<uint16_t>(~folded(ip, header, ip.size(), pseudo_sum(ip, header, packet.protocol)));
  if (packet.protocol == 1 || packet.protocol == 6 || packet.protocol == 17)
    set16(ip, header + sum_place(packet.protocol), sum);
  return ip;
}

std::string build(const Packet& packet) {
  std::string frame = ethernet(packet);
  put16(frame, ETH_P_8021Q);
  put16(frame, static_cast<uint16_t>(packet.tag));
  put16(frame, ETH_P_IP);
  return frame + build_ip(packet);
}

std::string build_untagged(const Packet& packet) {
  std::string frame = ethernet(packet);
  put16(frame, ETH_P_IP);
  return frame + build_ip(packet);
}

std::vector<std::string> build_fragments(const Packet& packet, size_t size) {
  const std::string whole = build_ip(packet);
  const size_t header = (at(whole, 0) & 0xfu) * 4;
  std::vector<std::string> frames;
  for (size_t from = header; from < whole.size(); from += size) {
    std::string ip = whole.substr(0, header) + whole.substr(from, size);
    const bool is_last = from + size >= whole.size();
    set16(ip, 2, static_cast<uint16_t>(ip.size()));
    set16(ip, 6, static_cast<uint16_t>((from - header) / 8 | (is_last ? 0 : kMoreFragments)));
    set16(ip, 10, 0);
    set16(ip, 10, static_cast<uint16_t>(~folded(ip, 0, header)));
    std::string frame = ethernet(packet);
    put16(frame, ETH_P_IP);
    frames.push_back(frame + ip);
  }
  return frames;
}

std::optional<Packet> parse(const std::string& frame, uint32_t tag) {
  if (frame.size() < 42 || get16(frame, 12) != ETH_P_IP) return std::nullopt;
  auto packet = parse_ip(frame.substr(14, get16(frame, 16)));
  if (!packet) return std::nullopt;
  packet->tag = tag;
  packet->destination_mac = mac_at(frame, 0);
  packet->source_mac = mac_at(frame, 6);
  return packet;
}

std::optional<Packet> parse_ip(const std::string& ip) {
  if (ip.size() < 28) return std::nullopt;
  Packet packet;
  const size_t header = (at(ip, 0) & 0xfu) * 4;
  if (ip.size() < header + 8) return std::nullopt;
  packet.option_words = static_cast<uint8_t>(header / 4 - 5);
  packet.id = get16(ip, 4);
  packet.fragment = get16(ip, 6);
  packet.ttl = at(ip, 8);
  packet.protocol = at(ip, 9);
  packet.source = kernel::address_text(get32(ip, 12));
  packet.destination = kernel::address_text(get32(ip, 16));
  packet.ip_sum_good = folded(ip, 0, header) == 0xffff;
  packet.sum_good = folded(ip, header, ip.size(), pseudo_sum(ip, header, packet.protocol)) == 0xffff;
  packet.no_checksum = packet.protocol == 17 && get16(ip, header + 6) == 0;
  size_t body = header + 8;
  if (packet.protocol == 1) {
    packet.icmp_type = at(ip, header);
    packet.icmp_code = at(ip, header + 1);
    packet.source_port = packet.destination_port = get16(ip, header + 4);
    packet.icmp_second = get16(ip, header + 6);
  } else {
    packet.source_port = get16(ip, header);
    packet.destination_port = get16(ip, header + 2);
  }
  if (packet.protocol == 6) packet.seq = get32(ip, header + 4);
  if (packet.protocol == 6 && ip.size() >= header + 20) {
    packet.ack = get32(ip, header + 8);
    packet.tcp_flags = at(ip, header + 13);
    body = header + (at(ip, header + 12) >> 4) * 4u;
    if (body > ip.size() || body < header + 20) return std::nullopt;
    packet.tcp_options = ip.substr(header + 20, body - header - 20);
  }
  packet.payload = ip.substr(body);
  return packet;
}

Packet icmp_error(uint8_t code, const std::string& about) {
  Packet error;
  error.protocol = 1;
  error.icmp_type = 3;
  error.icmp_code = code;
  error.source_port = 0;
  error.payload = about;
  return error;
}

Packet answer(const Packet& seen) {
  Packet reply = seen;
  std::swap(reply.source, reply.destination);
  std::swap(reply.source_mac, reply.destination_mac);
  std::swap(reply.source_port, reply.destination_port);
  reply.seq = seen.ack;
  reply.ack = seen.seq + static_cast<uint32_t>(seen.payload.size()) + ((seen.tcp_flags & (kSyn | kFin)) != 0);
  reply.payload = "answer";
  reply.icmp_type = 0;
  reply.ttl = 64;
  return reply;
}

Fd packet_socket(uint32_t ifindex) {
  Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  const int on = 1, large = 32 << 20;
  setsockopt(socket.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof on);
  setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
  sockaddr_ll here{};
  here.sll_family = AF_PACKET;
  here.sll_protocol = htons(ETH_P_ALL);
  here.sll_ifindex = static_cast<int>(ifindex);
  EXPECT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&here), sizeof here), 0);
  return socket;
}

void write_frame(int socket, const std::string& frame) {
  ASSERT_EQ(send(socket, frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size())) << std::strerror(errno);
}

std::string read_frame(int socket, uint32_t& tag, int timeout_ms) {
  pollfd polled{socket, POLLIN, 0};
  if (poll(&polled, 1, timeout_ms) != 1) return "";
  std::string frame(70'000, '\0');
  iovec vector{frame.data(), frame.size()};
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = recvmsg(socket, &message, 0);
  if (size < 0) return "";
  frame.resize(static_cast<size_t>(size));
  tag = 0;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_PACKET || each->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata data;
    std::memcpy(&data, CMSG_DATA(each), sizeof data);
    if (data.tp_status & TP_STATUS_VLAN_VALID) tag = data.tp_vlan_tci & 0xfff;
  }
  return frame;
}

}  // namespace hearth::gateway::test
