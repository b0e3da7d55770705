#include "tests/gateway/world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernel/netns.h"

namespace hearth::gateway::test {
namespace {

sockaddr_in endpoint(const std::string& address, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  return to;
}

const sockaddr* plain(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

std::string text_of(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return text;
}

uint16_t checksum(const uint8_t* data, size_t size, uint32_t sum = 0) {
  for (size_t i = 0; i + 1 < size; i += 2) sum += static_cast<uint32_t>(data[i] << 8 | data[i + 1]);
  if (size % 2) sum += static_cast<uint32_t>(data[size - 1] << 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace

Fd socket_in(int netns, int domain, int type, int protocol) {
  auto inside = kernel::NetnsScope::enter(netns);
  EXPECT_TRUE(inside);
  Fd made(socket(domain, type | SOCK_CLOEXEC, protocol));
  EXPECT_TRUE(made.valid()) << strerror(errno);
  return made;
}

// ---- Server -----------------------------------------------------------------------------------------------------

Server::Server(const std::string& netns_path, std::string marker, uint16_t port) : marker_(std::move(marker)) {
  auto netns = kernel::open_netns(netns_path);
  if (!netns) {
    ADD_FAILURE() << netns.error().describe();
    return;
  }
  listener_ = socket_in(netns->get(), AF_INET, SOCK_STREAM);
  udp_ = socket_in(netns->get(), AF_INET, SOCK_DGRAM);
  stop_ = Fd(eventfd(0, EFD_CLOEXEC));
  const int on = 1;
  setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in any = endpoint("0.0.0.0", port);
  EXPECT_EQ(bind(listener_.get(), plain(any), sizeof any), 0) << strerror(errno);
  EXPECT_EQ(bind(udp_.get(), plain(any), sizeof any), 0) << strerror(errno);
  EXPECT_EQ(listen(listener_.get(), 128), 0);
  thread_ = std::thread([this] { run(); });
}

Server::~Server() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void Server::run() {
  std::vector<pollfd> polled = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}};
  std::vector<Fd> open;
  std::vector<char> buffer(64 * 1024);
  for (;;) {
    poll(polled.data(), polled.size(), -1);
    if (polled[0].revents != 0) return;
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (polled[1].revents != 0) {
      open.emplace_back(accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
      ++connections_;
      const std::string hello = marker_ + " " + text_of(peer);
      send(open.back().get(), hello.data(), hello.size(), MSG_NOSIGNAL);
      polled.push_back({open.back().get(), POLLIN, 0});
    }
    if (polled[2].revents != 0) {
      recvfrom(udp_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
      ++datagrams_;
      const std::string hello = marker_ + " " + text_of(peer);
      sendto(udp_.get(), hello.data(), hello.size(), 0, plain(peer), size);
    }
    for (size_t i = 3; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      const ssize_t got = recv(polled[i].fd, buffer.data(), buffer.size(), 0);
      if (got > 0) send(polled[i].fd, buffer.data(), static_cast<size_t>(got), MSG_NOSIGNAL);
      if (got > 0) continue;
      open.erase(open.begin() + static_cast<ptrdiff_t>(i - 3));
      polled.erase(polled.begin() + static_cast<ptrdiff_t>(i));
      --i;
    }
  }
}

// ---- clients ----------------------------------------------------------------------------------------------------

Connection connect_from(int netns, const std::string& address, uint16_t port, int timeout_ms) {
  Connection made{.socket = socket_in(netns, AF_INET, SOCK_STREAM | SOCK_NONBLOCK)};
  const sockaddr_in to = endpoint(address, port);
  if (connect(made.socket.get(), plain(to), sizeof to) != 0 && errno != EINPROGRESS) {
    made.error = errno;
    return made;
  }
  pollfd polled{made.socket.get(), POLLOUT, 0};
  if (poll(&polled, 1, timeout_ms) == 0) {
    made.error = ETIMEDOUT;
    return made;
  }
  socklen_t size = sizeof made.error;
  getsockopt(made.socket.get(), SOL_SOCKET, SO_ERROR, &made.error, &size);
  return made;
}

std::string read_some(int socket, int timeout_ms) {
  pollfd polled{socket, POLLIN, 0};
  if (poll(&polled, 1, timeout_ms) != 1) return "";
  char buffer[4096];
  const ssize_t got = recv(socket, buffer, sizeof buffer, 0);
  return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : "";
}

std::string greeting(int netns, const std::string& address, uint16_t port) {
  const Connection made = connect_from(netns, address, port, 500);
  return made.error != 0 ? "" : read_some(made.socket.get());
}

std::string ask_udp(int netns, const std::string& address, uint16_t port, int timeout_ms) {
  const Fd socket = socket_in(netns, AF_INET, SOCK_DGRAM);
  const sockaddr_in to = endpoint(address, port);
  if (sendto(socket.get(), "hi", 2, 0, plain(to), sizeof to) != 2) return "";
  return read_some(socket.get(), timeout_ms);
}

Fd netns_of(const std::string& host) {
  auto netns = kernel::open_netns("/run/netns/" + host);
  EXPECT_TRUE(netns) << netns.error().describe();
  return netns ? std::move(*netns) : Fd();
}

bool ping(int netns, const std::string& address) {
  const Fd socket = socket_in(netns, AF_INET, SOCK_RAW, IPPROTO_ICMP);
  icmphdr request{};
  request.type = ICMP_ECHO;
  request.un.echo.id = htons(0x4711);
  request.un.echo.sequence = htons(1);
  request.checksum = htons(checksum(reinterpret_cast<const uint8_t*>(&request), sizeof request));
  const sockaddr_in to = endpoint(address, 0);
  if (sendto(socket.get(), &request, sizeof request, 0, plain(to), sizeof to) < 0) return false;
  const std::string reply = read_some(socket.get());
  return reply.size() >= 28 && reply[20] == ICMP_ECHOREPLY && reply.substr(24, 2) == std::string("\x47\x11", 2);
}

void send_frame(int netns, const std::string& frame) {
  const Fd socket = socket_in(netns, AF_PACKET, SOCK_RAW);
  auto inside = kernel::NetnsScope::enter(netns);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
  ASSERT_EQ(sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
            static_cast<ssize_t>(frame.size()))
      << strerror(errno);
}

std::string udp_frame(const std::string& source_mac, const std::string& source, const std::string& destination,
                      uint8_t ttl) {
  std::string frame(14 + 20 + 8 + 1, '\0');
  auto* bytes = reinterpret_cast<uint8_t*>(frame.data());
  const uint8_t router[6] = {0x02, 0x64, 0, 0, 0, 0};
  std::memcpy(bytes, router, 6);
  unsigned mac[6];
  std::sscanf(source_mac.c_str(), "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]);
  for (int i = 0; i < 6; ++i) bytes[6 + i] = static_cast<uint8_t>(mac[i]);
  bytes[12] = 0x08;
  uint8_t* ip = bytes + 14;
  ip[0] = 0x45;
  ip[3] = 29;
  ip[8] = ttl;
  ip[9] = IPPROTO_UDP;
  inet_pton(AF_INET, source.c_str(), ip + 12);
  inet_pton(AF_INET, destination.c_str(), ip + 16);
  const uint16_t header = checksum(ip, 20);
  ip[10] = static_cast<uint8_t>(header >> 8);
  ip[11] = static_cast<uint8_t>(header);
  uint8_t* udp = ip + 20;
  udp[0] = 0x30;
  udp[1] = 0x39;
  udp[2] = 7000 >> 8;
  udp[3] = 7000 & 0xff;
  udp[5] = 9;
  udp[8] = 'x';
  uint32_t pseudo = IPPROTO_UDP + 9;
  for (int i = 12; i < 20; i += 2) pseudo += static_cast<uint32_t>(ip[i] << 8 | ip[i + 1]);
  const uint16_t sum = checksum(udp, 9, pseudo);
  udp[6] = static_cast<uint8_t>(sum >> 8);
  udp[7] = static_cast<uint8_t>(sum);
  return frame;
}

// ---- World ------------------------------------------------------------------------------------------------------

void Realm::begin(const std::string& driver) {
  auto purged = FunctionNetwork::purge(options_);
  ASSERT_TRUE(purged) << purged.error().describe();
  open();
  auto ensured = net().ensure_gateway(gateway_, driver);
  ASSERT_TRUE(ensured) << ensured.error().describe();
  wait_until_it_serves();
}

// A machine boots first.
void Realm::wait_until_it_serves() {
  bool serves = false;
  for (int tried = 0; tried < 60 && !serves; ++tried) serves = stats({}).has_value();
  ASSERT_TRUE(serves);
}

std::string World::driver() {
  const char* word = getenv("HEARTH_TEST_DRIVER");
  return word == nullptr ? "netns" : word;
}

void Realm::end() {
  close();
  auto purged = FunctionNetwork::purge(options_);
  EXPECT_TRUE(purged) << purged.error().describe();
}

void Realm::open() {
  auto opened = FunctionNetwork::open(options_);
  ASSERT_TRUE(opened) << opened.error().describe();
  network_ = std::move(*opened);
}

Realm::Tenant Realm::make_tenant(const std::string& name, const std::string& cidr, const std::string& host,
                                 const std::string& gateway) {
  Tenant tenant{VpcId("vpc-" + name), SubnetId("subnet-" + name), "subnet-" + name, options_.instance + "-" + name,
                nullptr};
  for (const auto& made : {net().ensure_vpc(tenant.vpc), net().ensure_subnet(tenant.vpc, tenant.subnet, cidr),
                           net().add_vpc_host(tenant.vpc, tenant.subnet, tenant.host, host)})
    EXPECT_TRUE(made) << made.error().describe();
  tenant.server = std::make_unique<Server>(host_netns(tenant.host), name);
  EXPECT_TRUE(attach(tenant, gateway).proven);
  return tenant;
}

AttachmentInfo Realm::attach(const Tenant& tenant, const std::string& gateway) {
  AttachmentInfo info;
  bool done = false;
  net().ensure_attachment(gateway_, tenant.attachment, tenant.vpc, tenant.subnet, gateway,
                          [&](Result<AttachmentInfo> result) {
                            EXPECT_TRUE(result) << result.error().describe();
                            if (result) info = *result;
                            done = true;
                          });
  for (int i = 0; i < 300 && !done; ++i) pump(10);
  EXPECT_TRUE(done);
  return info;
}

Slot Realm::make_slot() {
  auto slot = net().make_slot();
  EXPECT_TRUE(slot) << slot.error().describe();
  return slot ? std::move(*slot) : Slot{};
}

AttachmentInfo Realm::ensure_outside() {
  AttachmentInfo info;
  net().ensure_outside(gateway_, [&](Result<AttachmentInfo> result) {
    EXPECT_TRUE(result) << result.error().describe();
    if (result) info = *result;
  });
  for (int i = 0; i < 200 && info.tag == 0; ++i) pump(10);
  EXPECT_TRUE(info.proven);
  return info;
}

void Realm::pump(int ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  for (auto now = std::chrono::steady_clock::now(); now < end; now = std::chrono::steady_clock::now()) {
    std::vector<pollfd> polled;
    for (const int fd : net().poll_fds()) polled.push_back({fd, POLLIN, 0});
    int wait = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(end - now).count());
    const int due = net().next_deadline_ms();
    if (due >= 0) wait = std::min(wait, due);
    poll(polled.data(), polled.size(), wait);
    net().dispatch();
  }
}

Result<json::object> Realm::stats(const std::vector<std::string>& attachments) {
  std::optional<Result<json::object>> told;
  net().stats(gateway_, attachments, [&told](Result<json::object> stats) { told = std::move(stats); });
  for (int i = 0; i < 300 && !told; ++i) pump(10);
  if (!told) return fail(Kind::timeout, "no answer");
  return *std::move(told);
}

int64_t Realm::counter(const std::string& attachment, const std::string& name) {
  std::vector<std::string> named;
  if (!attachment.empty()) named.push_back(attachment);
  const auto told = stats(named);
  EXPECT_TRUE(told) << told.error().describe();
  if (!told) return -1;
  const json::value& of = attachment.empty() ? told->at("gateway") : told->at("attachments").at(attachment);
  return of.at(name).to_number<int64_t>();
}

pid_t Realm::agent_pid() const {
  const Fd file(::open((options_.run_dir + "/gateways/" + gateway_.str() + ".lock").c_str(), O_RDWR | O_CLOEXEC));
  struct flock holder{};
  holder.l_type = F_WRLCK;
  fcntl(file.get(), F_GETLK, &holder);
  return holder.l_type == F_UNLCK ? 0 : holder.l_pid;
}

}  // namespace hearth::gateway::test
