#include "warden/root_test/client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "kernel/unix_socket.h"

namespace hearth::warden {
namespace {

void wait_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  if (poll(&entry, 1, kPatienceMs) <= 0) throw std::runtime_error("the shim is silent");
}

}  // namespace

double ms_since(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

std::string read_output(int fd, const std::string& until) {
  std::string text;
  auto deadline = SteadyClock::now() + std::chrono::milliseconds(kPatienceMs);
  while (text.find(until) == std::string::npos && SteadyClock::now() < deadline) {
    pollfd entry{fd, POLLIN, 0};
    if (poll(&entry, 1, 100) <= 0) continue;
    char bytes[65536];
    ssize_t got = ::read(fd, bytes, sizeof(bytes));
    if (got <= 0) break;
    text.append(bytes, static_cast<size_t>(got));
  }
  return text;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Client::Client(const std::string& path) {
  socket_ = Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path.c_str());
  if (connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("the warden does not listen");
}

int64_t Client::send(Request request) {
  RequestFrame frame{++id_, std::move(request)};
  EXPECT_TRUE(kernel::send_datagram(socket_.get(), encode(frame), {}, 0).has_value());
  return frame.id;
}

Error Client::call_error(Request request) {
  Answer answer = call(std::move(request));
  if (answer.frame.reply) throw std::runtime_error("the request was not refused");
  return answer.frame.reply.error();
}

Answer Client::wait_for(int64_t id) {
  auto until = SteadyClock::now() + std::chrono::milliseconds(kPatienceMs);
  for (;;) {
    for (auto at = answers_.begin(); at != answers_.end(); ++at) {
      if (at->frame.id != id) continue;
      Answer answer = std::move(*at);
      answers_.erase(at);
      return answer;
    }
    receive(until);
  }
}

ContainerGone Client::wait_gone(const ContainerId& container) {
  auto until = SteadyClock::now() + std::chrono::milliseconds(kPatienceMs);
  for (;;) {
    if (auto found = gone_.find(container); found != gone_.end()) return found->second;
    receive(until);
  }
}

bool Client::closed() {
  pollfd entry{socket_.get(), POLLIN, 0};
  poll(&entry, 1, kPatienceMs);
  char byte = 0;
  return recv(socket_.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

bool Client::is_silent_for(int ms) const {
  pollfd entry{socket_.get(), POLLIN, 0};
  return poll(&entry, 1, ms) == 0;
}

void Client::receive(SteadyClock::time_point until) {
  pollfd entry{socket_.get(), POLLIN, 0};
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - SteadyClock::now()).count();
  if (left <= 0 || poll(&entry, 1, static_cast<int>(left)) <= 0) throw std::runtime_error("the warden is silent");
  auto datagram = kernel::receive_datagram(socket_.get(), kMaxMessage, kernel::kMaxDatagramFds, 0);
  if (!datagram || datagram->bytes.empty()) throw std::runtime_error("the warden closed the connection");
  auto frame = decode_server_frame(datagram->bytes);
  if (!frame) throw std::runtime_error(frame.error().message);
  if (auto* reply = std::get_if<ReplyFrame>(&*frame)) answers_.push_back({std::move(*reply), std::move(datagram->fds)});
  if (auto* gone = std::get_if<ContainerGone>(&*frame)) gone_.emplace(gone->container, *gone);
}

HttpRequest RuntimeApi::read() {
  size_t end = std::string::npos;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) fill();
  HttpRequest request;
  request.head = buffer_.substr(0, end + 4);
  request.line = request.head.substr(0, request.head.find("\r\n"));
  size_t length = 0;
  if (auto at = request.head.find("Content-Length: "); at != std::string::npos)
    length = std::stoul(request.head.substr(at + 16));
  while (buffer_.size() < end + 4 + length) fill();
  request.body = buffer_.substr(end + 4, length);
  buffer_.erase(0, end + 4 + length);
  return request;
}

void RuntimeApi::write(const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    ssize_t sent = ::send(connection_.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("the shim closed the connection");
    done += static_cast<size_t>(sent);
  }
}

void RuntimeApi::reply(int status, const std::string& body) {
  write(fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body));
}

void RuntimeApi::invoke(const std::string& event, const std::string& id, const std::string& more) {
  HttpRequest get = read();
  EXPECT_EQ(get.line, "GET /2018-06-01/runtime/invocation/next HTTP/1.1");
  write(
      fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {}\r\n"
                  "Lambda-Runtime-Deadline-Ms: 99999999999999\r\nLambda-Runtime-Trace-Id: Root=1\r\n"
                  "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:x\r\n{}Content-Length: {}\r\n\r\n{}",
                  id, more, event.size(), event));
}

std::string RuntimeApi::call(const std::string& event, const std::string& id, const std::string& more) {
  invoke(event, id, more);
  HttpRequest post = read();
  EXPECT_EQ(post.line, "POST /2018-06-01/runtime/invocation/" + id + "/response HTTP/1.1") << post.body;
  reply(202);
  return post.body;
}

void RuntimeApi::reconnect() {
  connection_.reset();
  buffer_.clear();
}

void RuntimeApi::fill() {
  if (!connection_.valid()) {
    wait_readable(listener_);
    connection_ = Fd(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    int on = 1;
    setsockopt(connection_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  wait_readable(connection_.get());
  char bytes[65536];
  ssize_t got = recv(connection_.get(), bytes, sizeof(bytes), 0);
  if (got <= 0) throw std::runtime_error("the shim closed the connection");
  buffer_.append(bytes, static_cast<size_t>(got));
}

}  // namespace hearth::warden
