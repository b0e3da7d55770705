#include "warden_client/link.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"

namespace hearth {
namespace asio = boost::asio;

WardenLink::WardenLink(asio::any_io_executor executor, std::string path, WardenClient::Hooks hooks)
    : executor_(executor),
      path_(std::move(path)),
      hooks_(std::move(hooks)),
      deadlines_(executor),
      reconnect_(executor) {}

void WardenLink::stop() {
  if (std::exchange(stopped_, true)) return;
  hooks_ = {};
  reconnect_.cancel();
  down("stopped");
  deadlines_.stop();
}

// ---- connecting

void WardenLink::connect() {
  if (stopped_) return;
  auto socket = kernel::connect_seqpacket(path_);
  if (!socket) {
    warn_once("no warden: " + socket.error().describe());
    return connect_later();
  }
  ++connection_;
  socket_.emplace(executor_, socket->release());
  await_readable();
  greet();
}

void WardenLink::connect_later() {
  if (stopped_) return;
  reconnect_.expires_after(pause_);
  reconnect_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->connect();
  });
}

void WardenLink::warn_once(std::string failure) {
  if (failure != last_failure_) log::warn("{}", failure);
  last_failure_ = std::move(failure);
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
  pause_ = kReconnect;
  last_failure_.clear();
  log::info("connected to the warden at {}", path_);
  if (hooks_.on_connected) hooks_.on_connected(*reply);
}

void WardenLink::down(const std::string& reason) {
  const bool was_up = std::exchange(up_, false);
  if (!socket_) return;
  socket_.reset();
  greeting_.reset();
  waiting_.clear();
  if (!stopped_) warn_once("the connection to the warden ended: " + reason);
  if (was_up && hooks_.on_disconnected) hooks_.on_disconnected();
  auto calls = std::exchange(calls_, {});
  for (auto& [id, call] : calls) {
    deadlines_.remove(call->deadline);
    call->done.set(fail(Kind::unavailable, "the connection to the warden ended"));
  }
  connect_later();
  if (!was_up) pause_ = std::min(2 * pause_, kMaxReconnect);
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
    auto datagram = kernel::receive_datagram(socket_->native_handle(), warden::kMaxMessage, kMaxReplyFds, MSG_DONTWAIT);
    if (!datagram && datagram.error().errno_value == EAGAIN) break;
    if (!datagram) return down(datagram.error().describe());
    if (datagram->bytes.empty()) return down("end of file");
    auto taken = take(*std::move(datagram));
    if (connection != connection_ || !socket_) return;
    if (!taken) return down(taken.error().describe());
  }
  await_readable();
}

Result<> WardenLink::take(kernel::Datagram datagram) {
  TRY_ASSIGN(auto frame, warden::decode_server_frame(datagram.bytes));
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
