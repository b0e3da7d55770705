#include "gateway/hosting.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "kernel/netns.h"
#include "kernel/process.h"

namespace hearth::gateway {
namespace {

constexpr int kAboveTargets = 64;
constexpr int kConnectTries = 20;
constexpr std::chrono::milliseconds kConnectWait{50};

// File actions and attributes of posix_spawn, taken away again.
class Spawn {
 public:
  Spawn() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~Spawn() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

Result<Fd> connect_once(const sockaddr_un& to, int type) {
  Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno("socket");
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return fail_errno(std::string("connect ") + to.sun_path);
  return socket;
}

}  // namespace

Result<std::optional<pid_t>> lock_holder(const std::string& path) {
  Fd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return std::optional<pid_t>();
  if (!file.valid()) return fail_errno("open " + path);
  struct flock holder{};
  holder.l_type = F_WRLCK;
  holder.l_whence = SEEK_SET;
  if (fcntl(file.get(), F_GETLK, &holder) != 0) return fail_errno("query " + path);
  if (holder.l_type == F_UNLCK) return std::optional<pid_t>();
  return std::optional<pid_t>(holder.l_pid);
}

Result<Fd> connect_to(const std::string& path, int type) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) return fail(Kind::invalid, path + " is too long for a socket");
  path.copy(to.sun_path, path.size());
  for (int tried = 0;; ++tried) {
    auto connected = connect_once(to, type);
    if (connected || tried == kConnectTries) return connected;
    std::this_thread::sleep_for(kConnectWait);
  }
}

Result<Fd> launch(Launch launch) {
  std::vector<char*> arguments;
  for (auto& word : launch.words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char* no_environment[] = {nullptr};

  Spawn spawn;
  posix_spawn_file_actions_addopen(&spawn.files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&spawn.files, 2, launch.log.c_str(), O_RDWR | O_NONBLOCK, 0);
  posix_spawn_file_actions_adddup2(&spawn.files, 2, 1);
  // Above all targets first, so that none closes what the next one needs.
  std::vector<Fd> high;
  for (const auto& [here, there] : launch.files) {
    high.emplace_back(fcntl(here, F_DUPFD_CLOEXEC, kAboveTargets));
    if (!high.back().valid()) return fail_errno("dup");
    posix_spawn_file_actions_adddup2(&spawn.files, high.back().get(), there);
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&spawn.attributes, &none);
  posix_spawnattr_setsigdefault(&spawn.attributes, &all);
  posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  int error = 0;
  {
    std::optional<kernel::NetnsScope> inside;
    if (launch.netns >= 0) {
      TRY_ASSIGN(auto entered, kernel::NetnsScope::enter(launch.netns));
      inside.emplace(std::move(entered));
    }
    error = posix_spawn(&pid, arguments[0], &spawn.files, &spawn.attributes, arguments.data(), no_environment);
  }
  if (error != 0) return fail_errno("start " + launch.words[0], error);
  return kernel::open_pidfd(pid);
}

}  // namespace hearth::gateway
