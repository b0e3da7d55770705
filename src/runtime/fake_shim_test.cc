#include "runtime/fake_shim_test.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace hearth::runtime {
namespace {

constexpr const char* kNext = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";

std::string post_text(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string header(const std::string& head, const std::string& name) {
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

}  // namespace

FakeShim::FakeShim(Options options) : options_(std::move(options)), thread_([this] { run(); }) {}

FakeShim::~FakeShim() {
  kill();
  thread_.join();
  if (socket_ >= 0) ::close(socket_);
}

void FakeShim::kill() {
  const std::lock_guard lock(mutex_);
  killed_ = true;
  if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
  changed_.notify_all();
}

std::vector<int> FakeShim::statuses() const {
  const std::lock_guard lock(mutex_);
  return statuses_;
}

void FakeShim::run() {
  if (!serve() && !exited_) exit("exited", 1);
}

bool FakeShim::serve() {
  if (!start()) return false;
  Event event;
  for (;;) {
    if (options_.handler == "one_shot" && !connect()) return false;
    if (!next(event)) return false;
    if (options_.handler == "one_shot" && !connect()) return false;
    if (!act(event)) return false;
  }
}

bool FakeShim::start() {
  const auto& handler = options_.handler;
  if (handler == "init_silent") return pause(std::chrono::hours(1));
  if (handler == "init_exit") return exit("exited", 3);
  if (!connect()) return false;
  if (handler == "init_error") {
    post("/2018-06-01/runtime/init/error",
         R"({"errorMessage":"No module named 'x'","errorType":"Runtime.ImportModuleError"})");
    return exit("exited", 1);
  }
  if (handler == "extras") {
    int status = 0;
    std::string head, body;
    for (const char* request :
         {"PUT /2020-08-15/logs", "PUT /2022-07-01/telemetry", "POST /2020-01-01/extension/register",
          "GET /2018-06-01/runtime/restore/next", "GET /nothing"}) {
      if (!send(std::string(request) + " HTTP/1.1\r\nContent-Length: 0\r\n\r\n")) return false;
      if (!read_response(status, head, body)) return false;
      const std::lock_guard lock(mutex_);
      statuses_.push_back(status);
    }
  }
  return true;
}

bool FakeShim::act(const Event& event) {
  const auto& handler = options_.handler;
  if (handler == "crash") return exit("exited", 127);
  if (handler == "oom") return exit("signaled", 9, true);
  if (handler == "silent") return pause(std::chrono::hours(1));
  if (handler == "sleep" && !pause(std::chrono::milliseconds(std::atoi(event.payload.c_str())))) return false;
  if (handler == "error") return post(path(event, "error"), R"({"errorMessage":"no","errorType":"ValueError"})");
  if (handler == "large") return post(path(event, "response"), std::string(7 * 1024 * 1024, 'x'));
  if (handler == "wrong_id") post("/2018-06-01/runtime/invocation/00000000-0000-0000-0000-000000000000/response", "{}");
  if (handler == "print") (void)!::write(options_.log, "one\ntwo\n", 8);
  if (handler == "print_unended") (void)!::write(options_.log, "one\ntwo", 7);
  if (handler == "flood") {
    const std::string line = std::string(1023, 'f') + "\n";
    for (int i = 0; i < 4096; ++i)
      while (::write(options_.log, line.data(), line.size()) < 0)
        if (!pause(std::chrono::milliseconds(1))) return false;
  }
  return answer(event);
}

bool FakeShim::answer(const Event& event) {
  const auto& handler = options_.handler;
  const auto& body = handler == "version" ? "\"" + options_.package + "\"" : event.payload;
  if (handler == "one_shot" || handler == "bare" || handler == "twice" || handler == "wrong_id") {
    if (!post(path(event, "response"), body)) return false;
    return handler != "twice" || post(path(event, "response"), body);
  }
  pending_ = 1;
  return send(post_text(path(event, "response"), body) + kNext);
}

std::string FakeShim::path(const Event& event, const char* action) const {
  return "/2018-06-01/runtime/invocation/" + event.id + "/" + action;
}

bool FakeShim::next(Event& event) {
  if (pending_ == 0 && !send(kNext)) return false;
  for (;;) {
    int status = 0;
    if (!read_response(status, event.head, event.payload)) return false;
    const bool is_event = pending_ == 0;
    if (!is_event) {
      --pending_;
      const std::lock_guard lock(mutex_);
      statuses_.push_back(status);
      continue;
    }
    event.id = header(event.head, "Lambda-Runtime-Aws-Request-Id");
    return status == 200;
  }
}

bool FakeShim::post(const std::string& path, const std::string& body) {
  int status = 0;
  std::string head, reply;
  if (!send(post_text(path, body)) || !read_response(status, head, reply)) return false;
  const std::lock_guard lock(mutex_);
  statuses_.push_back(status);
  return true;
}

bool FakeShim::exit(std::string cause, int64_t code, bool out_of_memory) {
  {
    const std::lock_guard lock(mutex_);
    exited_ = true;
    if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
    if (killed_) return false;
  }
  options_.on_exit(std::move(cause), code, out_of_memory);
  return false;
}

bool FakeShim::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return killed_; });
  return !killed_;
}

bool FakeShim::connect() {
  const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) ::close(socket_);
  socket_ = made;
  input_.clear();
  if (killed_) return false;
  return ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

bool FakeShim::send(const std::string& text) {
  for (size_t sent = 0; sent < text.size();) {
    const auto part = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (part <= 0) return false;
    sent += static_cast<size_t>(part);
  }
  return true;
}

bool FakeShim::read_response(int& status, std::string& head, std::string& body) {
  char buffer[65536];
  for (;;) {
    const auto end = input_.find("\r\n\r\n");
    if (end != std::string::npos) {
      head = input_.substr(0, end + 2);
      const auto length = header(head, "Content-Length");
      const size_t size = length.empty() ? 0 : std::strtoul(length.c_str(), nullptr, 10);
      if (input_.size() >= end + 4 + size) {
        status = std::atoi(head.c_str() + 9);
        body = input_.substr(end + 4, size);
        input_.erase(0, end + 4 + size);
        return true;
      }
    }
    const auto got = ::recv(socket_, buffer, sizeof(buffer), 0);
    if (got <= 0) return false;
    input_.append(buffer, static_cast<size_t>(got));
  }
}

}  // namespace hearth::runtime
