// Netlink: interfaces, addresses, routes, neighbours and traffic-control programs by rtnetlink.
//
// A Batch collects requests; Netlink::run sends them in one system call and reads the kernel's answers. The kernel
// does them in order and goes on after one that failed; the first failure is what run() returns, named by its request.
// A Netlink belongs to the network namespace of the thread at the time of open(), wherever the thread is later.
//
// Single-threaded. Batches are bounded by kMaxBatch bytes; what does not fit is Kind::exhausted at run().
#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

using Mac = std::array<uint8_t, 6>;

std::string to_string(const Mac& mac);                    // "02:64:00:00:00:01"
std::string address_text(uint32_t host_order);            // "100.64.0.1"
Result<uint32_t> parse_address(const std::string& text);  // host order

struct Prefix {
  uint32_t address = 0;  // host order, as written
  int length = 0;
  uint32_t mask() const { return length == 0 ? 0 : ~uint32_t{0} << (32 - length); }
  uint32_t network() const { return address & mask(); }
};
Result<Prefix> parse_prefix(const std::string& text);  // "10.0.0.0/24"

struct LinkEnd {
  std::string name;
  int netns = -1;        // -1: the socket's
  uint32_t ifindex = 0;  // 0: the kernel chooses
  Mac mac{};             // all zero: the kernel chooses
  uint32_t mtu = 0;      // 0: the default
};

class Batch {
 public:
  void veth(const LinkEnd& near, const LinkEnd& far);
  void bridge(const std::string& name);
  // Sends to `remote` (host order) by the socket's namespace; the device itself appears in `end.netns`.
  void vxlan(const LinkEnd& end, uint32_t vni, uint32_t remote, uint16_t port);
  void up(uint32_t ifindex);
  void up(const std::string& name);
  void master(uint32_t ifindex, uint32_t master);
  void alias(uint32_t ifindex, const std::string& text);
  void remove(uint32_t ifindex);
  void remove(const std::string& name);
  void address(uint32_t ifindex, uint32_t address, int prefix_length);
  void default_route(uint32_t ifindex, uint32_t via);  // onlink
  void permanent_neighbour(uint32_t ifindex, uint32_t address, const Mac& mac);
  void clsact(uint32_t ifindex);
  enum class Hook { ingress, egress };
  void program(uint32_t ifindex, Hook hook, int program, const std::string& name);  // replaces

  bool empty() const { return buffer_.empty(); }

 private:
  friend class Netlink;
  static constexpr size_t kMaxBatch = 64 * 1024;

  size_t begin(uint16_t type, uint16_t flags, std::string what);
  void end(size_t start);
  void raw(const void* data, size_t size);
  void attribute(uint16_t type, const void* data, size_t size);
  void text(uint16_t type, const std::string& value);
  void number(uint16_t type, uint32_t value);
  size_t nest(uint16_t type);
  void close(size_t nested);
  void link_end(const LinkEnd& end);

  std::vector<uint8_t> buffer_;
  std::vector<std::string> what_;  // of each request, by its place
};

struct LinkInfo {
  std::string name;
  std::string alias;
  std::string kind;  // "bridge", "veth"; "" for hardware and lo
  uint32_t ifindex = 0;
  uint32_t mtu = 0;
  uint32_t master = 0;
  bool up = false;
  Mac mac{};
};

class Netlink {
 public:
  static Result<Netlink> open();  // in the thread's namespace
  static Result<Netlink> open_in(int netns);

  Result<> run(const Batch& batch);
  Result<LinkInfo> link(const std::string& name);
  Result<LinkInfo> link(uint32_t ifindex);
  Result<std::vector<LinkInfo>> links();
  Result<std::vector<uint32_t>> addresses();  // IPv4, host order

 private:
  explicit Netlink(Fd socket) : socket_(std::move(socket)) {}
  Result<std::vector<uint8_t>> dump(uint16_t type);
  Result<size_t> receive();
  Result<LinkInfo> one_link(uint32_t ifindex, const std::string& name);

  Fd socket_;
  uint32_t sequence_ = 0;
  std::vector<uint8_t> received_ = std::vector<uint8_t>(64 * 1024);
};

}  // namespace hearth::kernel
