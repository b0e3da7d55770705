// A small world for gateway tests: a function network of its own, VPC hosts that answer, containers that talk.
//
// Everything carries the name of the instance, `gwt`, and is purged before and after each test.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "gateway/function_network.h"

namespace hearth::gateway::test {

// Answers on TCP and UDP port 7000 of a namespace: "<marker> <peer's address>", then echoes.
class Server {
 public:
  Server(const std::string& netns_path, std::string marker, uint16_t port = 7000);
  ~Server();
  int connections() const { return connections_; }
  int datagrams() const { return datagrams_; }

 private:
  void run();
  std::string marker_;
  Fd listener_, udp_, stop_;
  std::atomic<int> connections_ = 0, datagrams_ = 0;
  std::thread thread_;
};

// A socket made in the namespace; it stays there.
Fd socket_in(int netns, int domain, int type, int protocol = 0);
// Connected TCP, or errno's name.
struct Connection {
  Fd socket;
  int error = 0;
};
Connection connect_from(int netns, const std::string& address, uint16_t port, int timeout_ms = 1000);
std::string read_some(int socket, int timeout_ms = 1000);                           // "" in time
std::string greeting(int netns, const std::string& address, uint16_t port = 7000);  // "" when there is no way
std::string ask_udp(int netns, const std::string& address, uint16_t port = 7000, int timeout_ms = 1000);
// The namespace of a VPC host.
Fd netns_of(const std::string& host);
bool ping(int netns, const std::string& address);
// Sends a raw frame out of eth0 of the namespace.
void send_frame(int netns, const std::string& frame);
// Ethernet + IPv4 + UDP to port 7000 with "x", checksums right.
std::string udp_frame(const std::string& source_mac, const std::string& source, const std::string& destination,
                      uint8_t ttl = 64);

// What tests do with a FunctionNetwork. Everything of it carries the name of the instance.
class Realm {
 public:
  explicit Realm(const std::string& instance = "gwt")
      : options_{.instance = instance,
                 .run_dir = "/tmp/hearth-" + instance,
                 .gateway_program = HEARTH_GATEWAY_PROGRAM,
                 .gateway_image = HEARTH_GATEWAY_IMAGE,
                 .gateway_accelerator = "tcg",
                 .outside_netns = "none",
                 .gateway_said = [this](std::string_view line) { said_.emplace_back(line); }} {}
  Realm(const Realm&) = delete;
  Realm& operator=(const Realm&) = delete;

  void begin(const std::string& driver);  // from nothing, to a gateway that serves
  void end();
  void open();  // (again)
  void wait_until_it_serves();
  void close() { network_.reset(); }
  FunctionNetwork& net() { return *network_; }
  // A VPC with a subnet, a host that serves and an attachment; `name` is also its marker.
  struct Tenant {
    VpcId vpc;
    SubnetId subnet;
    std::string attachment;
    std::string host;
    std::unique_ptr<Server> server;
  };
  Tenant make_tenant(const std::string& name, const std::string& cidr = "10.0.0.0/24",
                     const std::string& host = "10.0.0.10", const std::string& gateway = "10.0.0.4");
  AttachmentInfo attach(const Tenant& tenant, const std::string& gateway = "10.0.0.4");
  Slot make_slot();
  void pump(int ms);                // the warden's loop for a while
  AttachmentInfo ensure_outside();  // and waits until its path is proven
  Result<json::object> stats(const std::vector<std::string>& attachments);
  int64_t counter(const std::string& attachment, const std::string& name);
  pid_t agent_pid() const;
  static std::string host_netns(const std::string& host) { return "/run/netns/" + host; }

  FunctionNetwork::Options options_;
  std::vector<std::string> said_;  // by gateways
  GatewayId gateway_{"gw-main"};
  std::unique_ptr<FunctionNetwork> network_;
};

// A realm of each test's own.
class World : public testing::Test, protected Realm {
 protected:
  void SetUp() override { begin(driver()); }
  void TearDown() override { end(); }
  // "netns", or what HEARTH_TEST_DRIVER says: every test holds for every driver.
  static std::string driver();
};

}  // namespace hearth::gateway::test
