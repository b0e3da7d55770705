#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "gateway/bpf/shared.h"
#include "gateway/driver.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/process.h"
#include "kernel/unix_socket.h"

namespace hearth::gateway {
namespace {

constexpr uint32_t kNic0 = 10;  // in the gateway's namespace
constexpr int kControlFd = 3;
constexpr int kConnectTries = 20;  // × 50 ms: an agent that has just started holds its lock before it listens

Result<Fd> connect_to(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno("socket");
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) return fail(Kind::invalid, path + " is too long for a socket");
  path.copy(to.sun_path, path.size());
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return fail_errno("connect " + path);
  return socket;
}

class NetnsDriver final : public Driver {
 public:
  NetnsDriver(Names names, std::string program, int function_netns)
      : names_(std::move(names)), program_(std::move(program)), function_netns_(function_netns) {}

  std::string_view name() const override { return "netns"; }
  bool shares_kernel() const override { return true; }
  Result<> prepare(const GatewayPlace& place) override;
  Result<Fd> port_netns(const GatewayPlace& place) override {
    return kernel::open_netns(names_.gateway_netns(place.id));
  }
  std::string log_path(const GatewayPlace& place) override { return names_.gateway_log(place.id); }
  Result<std::optional<RunningGateway>> find(const GatewayPlace& place) override;
  Result<RunningGateway> start(const GatewayPlace& place) override;

 private:
  Names names_;
  std::string program_;
  int function_netns_;
};

Result<> NetnsDriver::prepare(const GatewayPlace& place) {
  TRY(kernel::make_directories(names_.gateway_dir()));
  TRY_ASSIGN(Fd netns, kernel::open_or_make_netns(names_.gateway_netns(place.id), kernel::disable_ipv6));
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(function_netns_));
  const uint32_t ifindex = kNicIfindex + 2 * place.number;
  if (!netlink.link(ifindex)) {
    kernel::LinkEnd near{
        .name = "gw" + std::to_string(place.number), .netns = -1, .ifindex = ifindex, .mac = {}, .mtu = 0};
    kernel::LinkEnd far{.name = "nic0", .netns = netns.get(), .ifindex = kNic0, .mac = {}, .mtu = 0};
    kernel::Batch make;
    make.veth(near, far);
    TRY(netlink.run(make));
  }
  kernel::Batch batch;
  batch.up(ifindex);
  TRY(netlink.run(batch));
  TRY_ASSIGN(auto inside, kernel::Netlink::open_in(netns.get()));
  kernel::Batch up;
  up.up(kNic0);
  return inside.run(up);
}

Result<std::optional<RunningGateway>> NetnsDriver::find(const GatewayPlace& place) {
  const std::string lock = names_.gateway_lock(place.id);
  Fd file(open(lock.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return std::nullopt;
  if (!file.valid()) return fail_errno("open " + lock);
  struct flock holder{};
  holder.l_type = F_WRLCK;
  holder.l_whence = SEEK_SET;
  if (fcntl(file.get(), F_GETLK, &holder) != 0) return fail_errno("query " + lock);
  if (holder.l_type == F_UNLCK) return std::nullopt;
  RunningGateway running;
  TRY_ASSIGN(running.pidfd, kernel::open_pidfd(holder.l_pid));
  for (int tried = 0;; ++tried) {
    auto connected = connect_to(names_.gateway_socket(place.id));
    if (connected) {
      running.control = std::move(*connected);
      return running;
    }
    if (tried == kConnectTries) return std::unexpected(connected.error());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<RunningGateway> NetnsDriver::start(const GatewayPlace& place) {
  TRY_ASSIGN(Fd netns, kernel::open_netns(names_.gateway_netns(place.id)));
  TRY_ASSIGN(auto pair, kernel::seqpacket_pair());
  std::vector<std::string> words = {program_,
                                    "--nic0=" + std::to_string(kNic0),
                                    "--ports=" + std::to_string(kPortIfindex + kTags * place.number),
                                    "--pins=" + names_.gateway_pins(place.id),
                                    "--listen=" + names_.gateway_socket(place.id),
                                    "--lock=" + names_.gateway_lock(place.id),
                                    "--control-fd=" + std::to_string(kControlFd),
                                    "--peer",
                                    "--preallocate"};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char* no_environment[] = {nullptr};

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  const std::string log = names_.gateway_log(place.id);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, 2, log.c_str(), O_RDWR | O_NONBLOCK, 0);
  posix_spawn_file_actions_adddup2(&files, pair.second.get(), kControlFd);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  int error = 0;
  {
    TRY_ASSIGN(auto inside, kernel::NetnsScope::enter(netns.get()));
    error = posix_spawn(&pid, program_.c_str(), &files, &attributes, arguments.data(), no_environment);
  }
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail_errno("start " + program_, error);
  RunningGateway running;
  running.control = std::move(pair.first);
  TRY_ASSIGN(running.pidfd, kernel::open_pidfd(pid));
  return running;
}

}  // namespace

Result<std::unique_ptr<Driver>> make_driver(const std::string& word, const Names& names, const std::string& program,
                                            int function_netns) {
  if (word == "vm")
    return fail(Kind::unavailable,
                "gateway.driver = vm: this build hosts gateways in network namespaces only; use netns or auto");
  if (word != "netns" && word != "auto")
    return fail(Kind::invalid, "gateway.driver: netns, vm or auto, not '" + word + "'");
  return std::make_unique<NetnsDriver>(names, program, function_netns);
}

}  // namespace hearth::gateway
