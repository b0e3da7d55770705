#include "tests/gateway/wire.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "kernel/bpf.h"
#include "kernel/netlink.h"

namespace hearth::gateway::test {
namespace {

constexpr uint32_t kNic0 = 10, kNic0Far = 11, kNic1 = 12, kNic1Far = 13;

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
    put16(body, 1);
  } else {
    put16(body, packet.source_port);
    put16(body, packet.destination_port);
    if (packet.protocol == 6) {
      put32(body, packet.seq);
      put32(body, 0);
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

// The next frame and its tag; "" when none comes at once: the programs run within send().
std::string read_frame(int socket, uint32_t& tag) {
  pollfd polled{socket, POLLIN, 0};
  if (poll(&polled, 1, 20) != 1) return "";
  std::string frame(4096, '\0');
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

}  // namespace

std::string build_ip(const Packet& packet) {
  const std::string body = transport(packet);
  const size_t header = 20 + 4 * static_cast<size_t>(packet.option_words);
  std::string ip;
  ip.push_back(static_cast<char>(0x40 | header / 4));
  ip.push_back(0);
  put16(ip, static_cast<uint16_t>(header + body.size()));
  put16(ip, 0x1234);
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
  std::string frame;
  put_mac(frame, packet.destination_mac);
  put_mac(frame, packet.source_mac);
  put16(frame, ETH_P_8021Q);
  put16(frame, static_cast<uint16_t>(packet.tag));
  put16(frame, ETH_P_IP);
  return frame + build_ip(packet);
}

std::optional<Packet> parse(const std::string& frame, uint32_t tag) {
  if (frame.size() < 42 || get16(frame, 12) != ETH_P_IP) return std::nullopt;
  Packet packet;
  packet.tag = tag;
  packet.destination_mac = mac_at(frame, 0);
  packet.source_mac = mac_at(frame, 6);
  const std::string ip = frame.substr(14, get16(frame, 16));
  const size_t header = (at(ip, 0) & 0xfu) * 4;
  packet.option_words = static_cast<uint8_t>(header / 4 - 5);
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
  } else {
    packet.source_port = get16(ip, header);
    packet.destination_port = get16(ip, header + 2);
  }
  if (packet.protocol == 6) {
    packet.tcp_flags = at(ip, header + 13);
    body = header + (at(ip, header + 12) >> 4) * 4u;
    packet.tcp_options = ip.substr(header + 20, body - header - 20);
  }
  packet.payload = ip.substr(body);
  return packet;
}

uint32_t now_tick() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const auto ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  return static_cast<uint32_t>(ns >> kTickShift);
}

void Wire::SetUp() {
  auto netns = kernel::make_netns();
  ASSERT_TRUE(netns);
  netns_ = std::move(*netns);
  auto scope = kernel::NetnsScope::enter(netns_.get());
  ASSERT_TRUE(kernel::disable_ipv6());
  auto netlink = kernel::Netlink::open();
  kernel::Batch batch;
  const auto end = [](const char* name, uint32_t ifindex) {
    return kernel::LinkEnd{.name = name, .netns = -1, .ifindex = ifindex, .mac = {}, .mtu = 0};
  };
  batch.veth(end("nic0", kNic0), end("far0", kNic0Far));
  batch.veth(end("nic1", kNic1), end("far1", kNic1Far));
  for (const uint32_t ifindex : {kNic0, kNic0Far, kNic1, kNic1Far}) batch.up(ifindex);
  const auto made = netlink->run(batch);
  ASSERT_TRUE(made) << made.error().describe();
  containers_ = packet_socket(kNic0Far);
  trunk_ = packet_socket(kNic1Far);
  ASSERT_TRUE(kernel::unmount_bpf_fs(pins_));
  const auto mounted = kernel::mount_bpf_fs(pins_);
  ASSERT_TRUE(mounted) << mounted.error().describe();
}

void Wire::TearDown() {
  pat_.reset();
  EXPECT_TRUE(kernel::unmount_bpf_fs(pins_));
}

void Wire::load(const timeouts& limits) {
  auto scope = kernel::NetnsScope::enter(netns_.get());
  auto opened =
      Pat::open({.pins = pins_ + "/pat", .nic0 = kNic0, .nic1 = kNic1, .peer_redirect = false, .limits = limits});
  ASSERT_TRUE(opened) << opened.error().describe();
  pat_ = std::move(*opened);
}

void Wire::attach(uint32_t tag, uint16_t mtu, uint32_t mask) {
  attachment at{};
  at.address = htonl(0x0a000004);
  at.network = htonl(0x0a000000);
  at.mask = htonl(mask);
  at.router = htonl(0x0a000001);
  at.mtu = mtu;
  at.state = kAttachmentActive;
  std::string mac;
  put_mac(mac, mac_);
  std::copy_n(mac.data(), 6, at.mac);
  const auto set = pat_->set(tag, at);
  ASSERT_TRUE(set) << set.error().describe();
  know("10.0.0.1", tag);
  know("10.0.0.10", tag);
}

void Wire::know(const std::string& address, uint32_t tag) {
  neighbour entry{};
  entry.state = kNeighbourValid;
  entry.updated = now_tick();
  entry.mac[0] = 2;
  entry.mac[5] = static_cast<uint8_t>(*kernel::parse_address(address));
  ASSERT_TRUE(pat_->set_neighbour({.tag = tag, .address = htonl(*kernel::parse_address(address))}, entry, BPF_ANY));
}

void Wire::inside(const Packet& packet) { write_frame(containers_.get(), build(packet)); }
void Wire::outside(const Packet& packet) { write_frame(trunk_.get(), build(packet)); }
void Wire::outside_raw(const std::string& frame) { write_frame(trunk_.get(), frame); }

std::optional<Packet> Wire::seen_outside() {
  uint32_t tag = 0;
  const std::string frame = read_frame(trunk_.get(), tag);
  return frame.empty() ? std::nullopt : parse(frame, tag);
}

std::optional<Packet> Wire::seen_inside() {
  uint32_t tag = 0;
  const std::string frame = read_frame(containers_.get(), tag);
  return frame.empty() ? std::nullopt : parse(frame, tag);
}

std::string Wire::raw_outside() {
  uint32_t tag = 0;
  return read_frame(trunk_.get(), tag);
}

std::optional<Packet> Wire::through(const Packet& packet) {
  inside(packet);
  return seen_outside();
}

Packet Wire::answer(const Packet& seen) {
  Packet reply = seen;
  reply.payload = "answer";
  std::swap(reply.source, reply.destination);
  std::swap(reply.source_mac, reply.destination_mac);
  std::swap(reply.source_port, reply.destination_port);
  reply.icmp_type = 0;
  reply.ttl = 64;
  return reply;
}

gateway_counters Wire::counters(uint32_t tag) {
  const auto read = pat_->counters(tag);
  EXPECT_TRUE(read);
  return read ? *read : gateway_counters{};
}

Fd Wire::table_of(const std::string& name) {
  const Fd outer(bpf_obj_get((pins_ + "/pat/" + name).c_str()));
  const uint32_t tag = kTag;
  uint32_t id = 0;
  EXPECT_EQ(bpf_map_lookup_elem(outer.get(), &tag, &id), 0);
  return Fd(bpf_map_get_fd_by_id(id));
}

std::vector<std::pair<session_key, session>> Wire::sessions() {
  const Fd table = table_of("sessions");
  std::vector<std::pair<session_key, session>> all;
  for (const auto& key : kernel::map_keys<session_key>(table.get())) {
    session entry{};
    EXPECT_TRUE(kernel::map_get(table.get(), key, entry));
    all.emplace_back(key, entry);
  }
  return all;
}

void Wire::age_sessions(uint32_t seconds) {
  const Fd table = table_of("sessions");
  for (auto [key, entry] : sessions()) {
    entry.used = now_tick() - ticks(seconds);
    EXPECT_TRUE(kernel::map_put(table.get(), key, entry));
  }
}

void Wire::drain() {
  char byte[64];
  while (recv(trunk_.get(), byte, sizeof byte, MSG_DONTWAIT) >= 0) continue;
  while (recv(containers_.get(), byte, sizeof byte, MSG_DONTWAIT) >= 0) continue;
}

}  // namespace hearth::gateway::test
