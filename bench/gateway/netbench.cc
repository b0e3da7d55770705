// hearth-netbench: the programs behind `dev bench gateway`. One of
//
//   world      makes a function network, a VPC with a host and a bound container; prints what is where; stays until
//              its input ends, then takes everything away
//   serve      answers in a namespace: TCP ports that say nothing and close, a UDP port that never reads
//   connects   new TCP connections, one after the other in each thread
//   packets    64-byte UDP packets as fast as they go
//   binds      times of making slots and of binding them
//
// Numbers are printed as one line of JSON.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "gateway/function_network.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"

namespace {

using namespace hearth;
using std::chrono::steady_clock;

constexpr uint16_t kFirstPort = 7100;
constexpr int kPorts = 4;
constexpr uint16_t kUdpPort = 7200;
constexpr size_t kPayload = 18;  // 64 bytes on a wire with headers and check sequence
constexpr int kBatch = 64;

double since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

// Processor time of this process, with the network's work that ran in its calls: steadier than rates on a busy machine.
double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

[[noreturn]] void die(const Error& error) {
  std::fprintf(stderr, "hearth-netbench: %s\n", error.describe().c_str());
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) die(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

sockaddr_in endpoint(const std::string& address, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(must(kernel::parse_address(address)));
  return to;
}

double at_share(std::vector<double>& sorted, double share) {
  return sorted.empty() ? 0 : sorted[std::min(sorted.size() - 1, static_cast<size_t>(share * sorted.size()))];
}

void enter(const std::string& netns) {
  static std::vector<kernel::NetnsScope> scopes;
  Fd fd = must(kernel::open_netns(netns));
  scopes.push_back(must(kernel::NetnsScope::enter(fd.get())));
  // For the rest of the program: never put back.
  new kernel::NetnsScope(std::move(scopes.back()));
  scopes.pop_back();
}

// ---- serve ------------------------------------------------------------------------------------------------------

void serve_port(uint16_t port) {
  Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in any = endpoint("0.0.0.0", port);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 ||
      listen(listener.get(), 4096) != 0)
    die(fail_errno("listen").error());
  for (;;) {
    const Fd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
}

int serve(const std::string& netns) {
  enter(netns);
  Fd silent(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int small = 4096;
  setsockopt(silent.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  const sockaddr_in any = endpoint("0.0.0.0", kUdpPort);
  if (bind(silent.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) die(fail_errno("bind").error());
  std::vector<std::thread> threads;
  for (int i = 0; i < kPorts; ++i) threads.emplace_back(serve_port, static_cast<uint16_t>(kFirstPort + i));
  std::puts("ready");
  std::fflush(stdout);
  for (auto& thread : threads) thread.join();
  return 0;
}

// ---- connects ---------------------------------------------------------------------------------------------------

struct Connects {
  std::vector<double> micros;
  int failed = 0;
};

void connect_for(const std::string& address, int number, steady_clock::time_point end, Connects& out) {
  const linger at_once{1, 0};  // no TIME_WAIT: source ports are not what is measured
  for (unsigned i = static_cast<unsigned>(number); steady_clock::now() < end; ++i) {
    const sockaddr_in to = endpoint(address, static_cast<uint16_t>(kFirstPort + i % kPorts));
    Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const auto start = steady_clock::now();
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      ++out.failed;
      continue;
    }
    out.micros.push_back(since(start) * 1e6);
    char byte;
    if (recv(client.get(), &byte, 1, 0) != 0) ++out.failed;  // the server closes
  }
}

int connects(const std::string& netns, const std::string& address, int threads, double seconds) {
  enter(netns);
  std::vector<Connects> each(static_cast<size_t>(threads));
  std::vector<std::thread> running;
  const double cpu = cpu_seconds();
  const auto start = steady_clock::now();
  const auto end = start + std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6));
  for (int i = 0; i < threads; ++i)
    running.emplace_back([&, i] { connect_for(address, i, end, each[static_cast<size_t>(i)]); });
  for (auto& thread : running) thread.join();
  const double took = since(start), cpu_took = cpu_seconds() - cpu;
  Connects all;
  for (auto& one : each) {
    all.micros.insert(all.micros.end(), one.micros.begin(), one.micros.end());
    all.failed += one.failed;
  }
  std::sort(all.micros.begin(), all.micros.end());
  std::printf("{\"per_second\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_us\": %.2f, \"failed\": %d}\n",
              static_cast<double>(all.micros.size()) / took, at_share(all.micros, 0.5), at_share(all.micros, 0.99),
              cpu_took * 1e6 / static_cast<double>(std::max<size_t>(1, all.micros.size())), all.failed);
  return 0;
}

// ---- packets ----------------------------------------------------------------------------------------------------

int packets(const std::string& netns, const std::string& address, double seconds) {
  enter(netns);
  Fd client(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in to = endpoint(address, kUdpPort);
  if (connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) die(fail_errno("connect").error());
  char payload[kPayload] = {};
  iovec vector{payload, sizeof payload};
  std::vector<mmsghdr> messages(kBatch);
  for (auto& message : messages) {
    message.msg_hdr.msg_iov = &vector;
    message.msg_hdr.msg_iovlen = 1;
  }
  int64_t sent = 0;
  const double cpu = cpu_seconds();
  const auto start = steady_clock::now();
  while (since(start) < seconds) {
    const int done = sendmmsg(client.get(), messages.data(), messages.size(), 0);
    if (done > 0) sent += done;
  }
  const double cpu_took = cpu_seconds() - cpu;
  std::printf("{\"sent\": %lld, \"seconds\": %.3f, \"cpu_us\": %.3f}\n", static_cast<long long>(sent), since(start),
              cpu_took * 1e6 / static_cast<double>(std::max<int64_t>(1, sent)));
  return 0;
}

// ---- world and binds --------------------------------------------------------------------------------------------

class BenchWorld {
 public:
  explicit BenchWorld(const std::string& program) {
    // One at a time; the names on the machine are the same for all.
    if (flock(turn_.get(), LOCK_EX) != 0) die(fail_errno("lock").error());
    options_ = {.instance = "gwb",
                .run_dir = "/run/gwb",
                .gateway_program = program,
                .gateway_image = {},
                .outside_netns = "none"};
    must(gateway::FunctionNetwork::purge(options_));
    network_ = must(gateway::FunctionNetwork::open(options_));
    must(network_->ensure_gateway(GatewayId("gw-bench"), "netns"));
    must(network_->ensure_vpc(VpcId("vpc-bench")));
    must(network_->ensure_subnet(VpcId("vpc-bench"), SubnetId("subnet-bench"), "10.0.0.0/24"));
    must(network_->add_vpc_host(VpcId("vpc-bench"), SubnetId("subnet-bench"), "gwb-host", "10.0.0.10"));
    bool proven = false;
    network_->ensure_attachment(GatewayId("gw-bench"), "subnet-bench", VpcId("vpc-bench"), SubnetId("subnet-bench"),
                                "10.0.0.4", [&proven](auto info) { proven = must(std::move(info)).proven; });
    for (int i = 0; i < 500 && !proven; ++i) pump(10);
    if (!proven) die(Error{Kind::timeout, "the VPC path is not proven"});
  }
  ~BenchWorld() {
    network_.reset();
    must(gateway::FunctionNetwork::purge(options_));
  }
  gateway::FunctionNetwork& net() { return *network_; }
  json::object counters() {
    std::optional<Result<json::object>> told;
    network_->stats(GatewayId("gw-bench"), {"subnet-bench"}, [&told](auto stats) { told = std::move(stats); });
    for (int i = 0; i < 500 && !told; ++i) pump(10);
    if (!told) die(Error{Kind::timeout, "the gateway does not tell its counters"});
    return must(*std::move(told));
  }
  std::string bridge_netns() const { return options_.run_dir + "/netns/gwb-vpc-vpc-bench"; }
  void pump(int ms) {
    std::vector<pollfd> polled;
    for (const int fd : network_->poll_fds()) polled.push_back({fd, POLLIN, 0});
    poll(polled.data(), polled.size(), ms);
    network_->dispatch();
  }

 private:
  Fd turn_{open("/tmp/hearth-gwb.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  gateway::FunctionNetwork::Options options_;
  std::unique_ptr<gateway::FunctionNetwork> network_;
};

int world(const std::string& program) {
  BenchWorld made(program);
  const gateway::Slot slot = must(made.net().make_slot());
  must(made.net().bind(slot, "subnet-bench", ""));
  std::printf("{\"container\": \"/proc/%d/fd/%d\", \"host\": \"/run/netns/gwb-host\", \"vpc\": \"%s\"}\n", getpid(),
              slot.netns.get(), made.bridge_netns().c_str());
  std::fflush(stdout);
  for (;;) {
    pollfd input{0, POLLIN, 0};
    if (poll(&input, 1, 100) == 1) break;
    made.pump(0);
  }
  std::puts(json::serialize(made.counters()).c_str());
  return 0;
}

int binds(const std::string& program, int slots, int rounds) {
  BenchWorld made(program);
  std::vector<gateway::Slot> all;
  std::vector<double> making, binding;
  for (int i = 0; i < slots; ++i) {
    const auto start = steady_clock::now();
    all.push_back(must(made.net().make_slot()));
    making.push_back(since(start) * 1e6);
  }
  for (int round = 0; round < rounds; ++round) {
    for (const auto& slot : all) {
      const auto start = steady_clock::now();
      auto bound = made.net().bind(slot, "subnet-bench", "");
      binding.push_back(since(start) * 1e6);
      must(std::move(bound));
    }
    for (const auto& slot : all) must(made.net().unbind(slot));
    for (int i = 0; i < 20; ++i) made.pump(5);
  }
  std::sort(making.begin(), making.end());
  std::sort(binding.begin(), binding.end());
  std::printf("{\"bind_p50_us\": %.2f, \"bind_p99_us\": %.2f, \"slot_p50_us\": %.0f, \"slot_p99_us\": %.0f}\n",
              at_share(binding, 0.5), at_share(binding, 0.99), at_share(making, 0.5), at_share(making, 0.99));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string netns, address = "10.0.0.10", program;
  int threads = 1, slots = 500, rounds = 10;
  double seconds = 2;
  CLI::App app{"Traffic and timings for dev bench gateway"};
  app.require_subcommand(1);
  auto* world_app = app.add_subcommand("world");
  auto* serve_app = app.add_subcommand("serve");
  auto* connects_app = app.add_subcommand("connects");
  auto* packets_app = app.add_subcommand("packets");
  auto* binds_app = app.add_subcommand("binds");
  for (auto* each : {serve_app, connects_app, packets_app}) each->add_option("--netns", netns)->required();
  for (auto* each : {connects_app, packets_app}) {
    each->add_option("--address", address);
    each->add_option("--seconds", seconds);
  }
  for (auto* each : {world_app, binds_app}) each->add_option("--program", program)->required();
  connects_app->add_option("--threads", threads)->check(CLI::Range(1, 256));
  binds_app->add_option("--slots", slots)->check(CLI::Range(1, 4000));
  binds_app->add_option("--rounds", rounds)->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  if (*world_app) return world(program);
  if (*serve_app) return serve(netns);
  if (*connects_app) return connects(netns, address, threads, seconds);
  if (*packets_app) return packets(netns, address, seconds);
  return binds(program, slots, rounds);
}
