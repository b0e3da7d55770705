// Warden: the loop of hearth-warden. Takes requests from hearthd, answers them, tells what ended.
//
// One thread, one poll. One connection at a time, from `client_uid` only (SO_PEERCRED); a new one replaces the old,
// whose open requests then have nobody to be answered to. A request that does not decode is answered with its error
// when its id could be read; otherwise, or before `hello`, the connection is closed.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "container/runtimes.h"
#include "gateway/function_network.h"
#include "kernel/cgroup.h"
#include "kernel/namespaces.h"
#include "warden/connection.h"
#include "warden/containers.h"
#include "warden/poller.h"
#include "warden/state_files.h"
#include "warden/zygotes.h"

namespace hearth::warden {

class Warden {
 public:
  struct Options {
    std::string instance;
    std::string run_dir;       // exists
    std::string packages_dir;  // made when missing, owned by client_uid
    std::string cgroup_root = "/sys/fs/cgroup";
    uid_t client_uid = 0;
    size_t max_containers = 2048;
    size_t spawns_of_a_zygote = 2000;
    std::vector<container::RuntimeSpec> runtimes;
  };

  // Takes over what a warden that was killed left. `network` outlives the object.
  static Result<std::unique_ptr<Warden>> open(Options options, gateway::FunctionNetwork& network);
  ~Warden();

  // Serves until `stop` is readable (a signalfd), then kills all containers and gives back what they had.
  Result<> run(int stop);

 private:
  Warden(Options options, gateway::FunctionNetwork& network, kernel::CgroupHost cgroups, kernel::HomeNamespaces home,
         StateFiles state_files, Poller poller, Fd packages);

  Result<> listen();
  // Waits at most until something is to do; true when something was.
  Result<bool> turn(int stop, bool& stopping);
  int wait_ms(int network_deadline) const;
  void dispatch(const Poller::Event& event);
  void accept();
  void read_requests();
  bool read_one();
  void answer(const RequestFrame& frame);
  void answer_undecoded(std::optional<int64_t> id, const Error& error);
  void reply(ReplyTo to, Result<Reply> result, std::span<const int> fds);
  void send(std::string bytes, std::span<const int> fds);
  void close_connection(const std::string& why);
  Result<> end_containers();

  Options options_;
  gateway::FunctionNetwork& network_;
  kernel::CgroupHost cgroups_;
  kernel::HomeNamespaces home_;
  StateFiles state_files_;
  Poller poller_;
  Fd packages_;
  std::optional<Zygotes> zygotes_;
  std::optional<Containers> containers_;
  Fd listener_;
  std::optional<Connection> connection_;
  uint64_t next_connection_ = 1;
  std::string last_refusal_;  // of connections since one was greeted, so that the log tells each once
};

}  // namespace hearth::warden
