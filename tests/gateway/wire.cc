#include "tests/gateway/wire.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>

#include "kernel/bpf.h"
#include "kernel/netlink.h"

namespace hearth::gateway::test {
namespace {

constexpr uint32_t kNic0 = 10, kNic0Far = 11, kNic1 = 12, kNic1Far = 13;
constexpr int kWaitMs = 20;  // the programs run within send()

}  // namespace

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
  const uint8_t mac[6] = {6, 0, 0, 0, 0, 7};  // mac_
  std::copy_n(mac, 6, at.mac);
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
  const std::string frame = read_frame(trunk_.get(), tag, kWaitMs);
  return frame.empty() ? std::nullopt : parse(frame, tag);
}

std::optional<Packet> Wire::seen_inside() {
  uint32_t tag = 0;
  const std::string frame = read_frame(containers_.get(), tag, kWaitMs);
  return frame.empty() ? std::nullopt : parse(frame, tag);
}

std::string Wire::raw_outside() {
  uint32_t tag = 0;
  return read_frame(trunk_.get(), tag, kWaitMs);
}

std::optional<Packet> Wire::through(const Packet& packet) {
  inside(packet);
  return seen_outside();
}

std::string Wire::raw_inside() {
  uint32_t tag = 0;
  return read_frame(containers_.get(), tag, kWaitMs);
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

Packet Wire::error_from_outside(const std::string& about, uint8_t code) const {
  Packet error = icmp_error(code, about);
  error.source = "10.0.0.1";
  error.destination = "10.0.0.4";
  error.destination_mac = mac_;
  return error;
}

}  // namespace hearth::gateway::test
