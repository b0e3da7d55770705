#include "warden_client/link.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace hearth {
namespace asio = boost::asio;

WardenLink::WardenLink(asio::any_io_executor executor, std::string path, WardenClient::Hooks hooks)
    : executor_(executor),
      path_(std::move(path)),
      hooks_(std::move(hooks)),
      deadlines_(executor),
      reconnect_(executor),
      buffer_(warden::kMaxMessage + 1, '\0') {}

void WardenLink::stop() {
  if (std::exchange(stopped_, true)) return;
  hooks_ = {};
  reconnect_.cancel();
  down("stopped");
  deadlines_.stop();
}

// ---- connecting

Result<Fd> WardenLink::open_socket() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof(address.sun_path)) return fail(Kind::invalid, "socket path is too long: " + path_);
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return fail_errno("socket");
  // A Unix socket connects at once or not at all (EAGAIN: the backlog is full).
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("connect to the warden at " + path_);
  return socket;
}

void WardenLink::connect() {
  if (stopped_) return;
  auto socket = open_socket();
  if (!socket) {
    auto failure = socket.error().describe();
    if (failure != last_failure_) log::warn("no warden: {}", failure);
    last_failure_ = std::move(failure);
    return connect_later();
  }
  last_failure_.clear();
  ++connection_;
  socket_.emplace(executor_, socket->release());
  await_readable();
  greet();
}

void WardenLink::connect_later() {
  if (stopped_) return;
  reconnect_.expires_after(kReconnect);
  reconnect_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->connect();
  });
}

void WardenLink::greet() {
  const int64_t id = next_id_;
  auto hello = begin(warden::Hello{}, kGreeting);
  if (!hello) return down(hello.error().describe());
  greeting_ = id;
}

void WardenLink::greeted(const Result<WardenAnswer>& answer) {
  if (!answer) return down("hello: " + answer.error().message);
  const auto* reply = std::get_if<warden::HelloReply>(&answer->reply);
  if (reply == nullptr || reply->version != warden::kProtocolVersion)
    return down("the warden speaks another version of the protocol");
  up_ = true;
  log::info("connected to the warden at {}", path_);
  if (hooks_.on_connected) hooks_.on_connected(*reply);
}

void WardenLink::down(const std::string& reason) {
  const bool was_up = std::exchange(up_, false);
  if (!socket_) return;
  socket_.reset();
  greeting_.reset();
  waiting_.clear();
  if (!stopped_) log::warn("the connection to the warden ended: {}", reason);
  if (was_up && hooks_.on_disconnected) hooks_.on_disconnected();
  auto calls = std::exchange(calls_, {});
  for (auto& [id, call] : calls) {
    deadlines_.remove(call->deadline);
    call->done.set(fail(Kind::unavailable, "the connection to the warden ended"));
  }
  connect_later();
}

// ---- reading

void WardenLink::await_readable() {
  socket_->async_wait(asio::posix::descriptor_base::wait_read,
                      [self = shared_from_this(), connection = connection_](boost::system::error_code error) {
                        if (!error && connection == self->connection_ && self->socket_) self->read_burst();
                      });
}

void WardenLink::read_burst() {
  const auto connection = connection_;
  for (int i = 0; i < kMaxBurst; ++i) {
    auto datagram = receive();
    if (!datagram) return down(datagram.error().describe());
    if (!*datagram) break;
    auto taken = take(std::move(**datagram));
    if (connection != connection_ || !socket_) return;
    if (!taken) return down(taken.error().describe());
  }
  await_readable();
}

Result<std::optional<WardenLink::Datagram>> WardenLink::receive() {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxReplyFds)];
  iovec part{buffer_.data(), buffer_.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got;
  do {
    got = ::recvmsg(socket_->native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  if (got < 0) return fail_errno("recvmsg");
  Datagram datagram;
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      datagram.fds.emplace_back(fd);
    }
  }
  if (got == 0) return fail(Kind::unavailable, "end of file");
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return fail(Kind::invalid, "a datagram of the warden is too large");
  datagram.text.assign(buffer_.data(), static_cast<size_t>(got));
  return datagram;
}

Result<> WardenLink::take(Datagram datagram) {
  TRY_ASSIGN(auto frame, warden::decode_server_frame(datagram.text));
  if (const auto* gone = std::get_if<warden::ContainerGone>(&frame)) {
    if (hooks_.on_container_gone) hooks_.on_container_gone(*gone);
    return {};
  }
  auto& reply = std::get<warden::ReplyFrame>(frame);
  if (!reply.reply) {
    finish(reply.id, std::unexpected(std::move(reply.reply).error()));
  } else {
    finish(reply.id, WardenAnswer{std::move(*reply.reply), std::move(datagram.fds)});
  }
  return {};
}

// ---- calls

asio::awaitable<Result<WardenAnswer>> WardenLink::call(std::shared_ptr<WardenLink> link, warden::Request request,
                                                       std::chrono::milliseconds deadline) {
  if (!link->up_) co_return fail(Kind::unavailable, "no connection to the warden");
  CO_TRY_ASSIGN(auto call, link->begin(request, deadline));
  auto outcome = co_await call->done.wait();
  if (!outcome) co_return fail(Kind::unavailable, "cancelled");
  co_return std::move(*outcome);
}

Result<std::shared_ptr<WardenLink::Call>> WardenLink::begin(const warden::Request& request,
                                                            std::chrono::milliseconds deadline) {
  if (calls_.size() >= warden::kMaxOutstanding) return fail(Kind::exhausted, "too many calls to the warden under way");
  const int64_t id = next_id_++;
  auto datagram = warden::encode(warden::RequestFrame{id, request});
  if (datagram.size() > warden::kMaxMessage) return fail(Kind::invalid, "a request to the warden is too large");
  TRY(send(std::move(datagram)));
  auto call = std::make_shared<Call>();
  calls_.emplace(id, call);
  deadlines_.set(call->deadline, std::chrono::steady_clock::now() + deadline,
                 [this, id] { finish(id, fail(Kind::timeout, "the warden did not answer in time")); });
  return call;
}

void WardenLink::finish(int64_t id, Outcome outcome) {
  auto at = calls_.find(id);
  if (at == calls_.end()) return;
  auto self = shared_from_this();  // the caller may let go of us
  auto call = std::move(at->second);
  calls_.erase(at);
  deadlines_.remove(call->deadline);
  if (greeting_ == id) {
    greeting_.reset();
    return greeted(outcome);
  }
  call->done.set(std::move(outcome));
}

// ---- writing

Result<> WardenLink::send(std::string datagram) {
  if (!waiting_.empty()) {
    if (waiting_.size() >= warden::kMaxOutstanding) return fail(Kind::exhausted, "the warden does not read");
    waiting_.push_back(std::move(datagram));
    return {};
  }
  if (::send(socket_->native_handle(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return {};
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    waiting_.push_back(std::move(datagram));
    await_writable();
    return {};
  }
  auto failure = fail_errno("send to the warden");
  failure.error().kind = Kind::unavailable;  // the reader finds the end of the connection too, and cleans up
  return failure;
}

void WardenLink::await_writable() {
  socket_->async_wait(asio::posix::descriptor_base::wait_write,
                      [self = shared_from_this(), connection = connection_](boost::system::error_code error) {
                        if (!error && connection == self->connection_ && self->socket_) self->write_waiting();
                      });
}

void WardenLink::write_waiting() {
  while (!waiting_.empty()) {
    const auto& first = waiting_.front();
    if (::send(socket_->native_handle(), first.data(), first.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return await_writable();
      return down(fail_errno("send to the warden").error().describe());
    }
    waiting_.pop_front();
  }
}

}  // namespace hearth
