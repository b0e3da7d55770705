// Zygote: the warden's side of one runtime's zygote process, from which its containers are forked.
//
// Made by start(), which returns before the runtime is loaded: what is asked for until then waits in the socket.
// Answers come in the order of the requests. The process ends with the object, or with the warden however that ends;
// containers do not. A zygote that ended is seen as end of file by receive(). It leads a process group of its own, in
// which its containers are until they are let go: those that it cloned and never told of are found by that.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "base/fd.h"
#include "base/result.h"
#include "container/runtimes.h"
#include "container/zygote_protocol.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"

namespace hearth::container {

// The seccomp filter in a file, for zygotes to read.
Result<Fd> filter_file();

class Zygote {
 public:
  struct Answer {
    SpawnReply reply;
    Fd pidfd;
  };
  struct Loaded {};
  using Event = std::variant<Loaded, Answer>;

  // `staging`: where the root is built; made when missing. `filter`: of filter_file().
  static Result<std::unique_ptr<Zygote>> start(const RuntimeSpec& runtime, const std::string& staging, int filter,
                                               const kernel::HomeNamespaces& home);
  Zygote(const Zygote&) = delete;
  Zygote& operator=(const Zygote&) = delete;
  ~Zygote();

  // How many containers it has been asked for, and how many of those it has not answered yet.
  size_t asked() const { return asked_; }
  size_t unanswered() const { return unanswered_; }
  std::chrono::steady_clock::time_point started() const { return started_; }
  // `fds` as zygote_protocol.h orders them.
  Result<> request(const SpawnRequest& request, std::span<const int> fds);
  // The next event; nullopt when none waits. Kind::unavailable when the zygote has ended, with what it said.
  Result<std::optional<Event>> receive();
  int socket() const { return socket_.get(); }
  int pidfd() const { return process_.pidfd.get(); }
  pid_t pid() const { return process_.pid; }

 private:
  Zygote(kernel::Process process, Fd socket) : process_(std::move(process)), socket_(std::move(socket)) {}

  kernel::Process process_;
  Fd socket_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  size_t asked_ = 0;
  size_t unanswered_ = 0;
};

}  // namespace hearth::container
