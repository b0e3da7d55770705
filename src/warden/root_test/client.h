// What the test plays: hearthd's side of the warden protocol, and a container's Runtime API served by hand. Both wait
// for kPatienceMs and throw what went wrong.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "warden/protocol.h"

namespace hearth::warden {

using SteadyClock = std::chrono::steady_clock;
constexpr int kPatienceMs = 30'000;

double ms_since(SteadyClock::time_point start);
std::string file_text(const std::string& path);
// What `fd` gives until `until` was in it.
std::string read_output(int fd, const std::string& until);

struct Answer {
  ReplyFrame frame;
  std::vector<Fd> fds;
};

class Client {
 public:
  // REQUIRES: the warden listens there.
  explicit Client(const std::string& path);

  int64_t send(Request request);
  Answer call(Request request) { return wait_for(send(std::move(request))); }
  template <typename T>
  T call_for(Request request) {
    Answer answer = call(std::move(request));
    if (!answer.frame.reply) throw std::runtime_error(answer.frame.reply.error().message);
    return std::get<T>(*answer.frame.reply);
  }
  Error call_error(Request request);
  Answer wait_for(int64_t id);
  ContainerGone wait_gone(const ContainerId& container);
  bool closed();
  // Whether nothing comes for so long.
  bool is_silent_for(int ms) const;
  int fd() const { return socket_.get(); }

 private:
  void receive(SteadyClock::time_point until);

  Fd socket_;
  int64_t id_ = 0;
  std::vector<Answer> answers_;
  std::map<ContainerId, ContainerGone> gone_;
};

struct HttpRequest {
  std::string line;
  std::string head;
  std::string body;
};

class RuntimeApi {
 public:
  explicit RuntimeApi(int listener) : listener_(listener) {}

  HttpRequest read();
  void write(const std::string& text);
  void reply(int status, const std::string& body = "");
  // Answers the GET that waits.
  void invoke(const std::string& event, const std::string& id = "request-1", const std::string& more = "");
  // One invocation that succeeds, answered.
  std::string call(const std::string& event, const std::string& id = "request-1", const std::string& more = "");
  void reconnect();

 private:
  void fill();

  int listener_;
  Fd connection_;
  std::string buffer_;
};

}  // namespace hearth::warden
