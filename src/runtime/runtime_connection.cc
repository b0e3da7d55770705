#include "runtime/runtime_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

namespace hearth::runtime {
namespace asio = boost::asio;
using Verdict = RuntimeApiHandler::Verdict;
namespace {

constexpr std::string_view kAccepted =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

struct Refusal {
  std::string_view status;
  std::string_view type;
  std::string_view message;
};
// As AWS's runtime interface emulator words them.
constexpr Refusal kTooLarge{"413 Payload Too Large", "RequestEntityTooLarge",
                            "Exceeded maximum allowed payload size (6291556 bytes)."};
constexpr Refusal kUnknownId{"400 Bad Request", "InvalidRequestID", "Invalid request ID"};
constexpr Refusal kWrongState{"403 Forbidden", "InvalidStateTransition", "State transition is not allowed"};
constexpr Refusal kLogs{"202 Accepted", "Logs.NotSupported", "Logs API is not supported"};
constexpr Refusal kTelemetry{"202 Accepted", "Telemetry.NotSupported", "Telemetry API is not supported"};
constexpr Refusal kExtension{"501 Not Implemented", "Extension.NotSupported", "Extensions are not supported here"};
constexpr Refusal kUnknown{"404 Not Found", "ResourceNotFound", "There is no such resource in the Runtime API"};

void append(std::string& out, const Refusal& refusal) {
  std::string body = "{\"errorMessage\":\"";
  body.append(refusal.message).append("\",\"errorType\":\"").append(refusal.type).append("\"}\n");
  out.append("HTTP/1.1 ").append(refusal.status).append("\r\nContent-Type: application/json\r\nContent-Length: ");
  out.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

}  // namespace

RuntimeConnection::RuntimeConnection(asio::any_io_executor executor, RuntimeApi& api, Fd socket)
    : socket_(executor),
      api_(&api),
      parser_([this](const RuntimeRequest& request) { return wants_body(request); }),
      buffer_(kSmallBuffer, '\0') {
  const int one = 1;  // a held answer and the event must not wait for each other's acknowledgement
  (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  socket_.assign(asio::ip::tcp::v4(), socket.release());
}

asio::awaitable<void> RuntimeConnection::run(std::shared_ptr<RuntimeConnection> self) {
  bool open = true;
  while (open) {
    open = co_await self->read_some();
    if (self->api_ == nullptr) co_return;
    if (!open) break;
    open = self->handle_all();
    if (self->api_ == nullptr) co_return;
    if (self->waits_ && !self->out_.empty() && open) {
      self->api_->held_.add(self);
    } else {
      self->flush();
    }
    self->api_->handler_->on_settled();
    if (self->api_ == nullptr) co_return;
  }
  self->closing_ = true;
  self->end();
}

asio::awaitable<bool> RuntimeConnection::read_some() {
  boost::system::error_code error;
  while (writing_.size() + out_.size() > RuntimeApi::kMaxBacklog && !waits_) {
    co_await socket_.async_wait(asio::socket_base::wait_write, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return false;
  }
  if (filled_ == buffer_.size() && !make_room()) co_return false;
  const auto space = asio::buffer(buffer_.data() + filled_, buffer_.size() - filled_);
  filled_ += co_await socket_.async_read_some(space, asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

// False for a header that the parser can't take, or that is as large as a body while another connection sends one.
bool RuntimeConnection::make_room() {
  if (filled_ >= std::max<size_t>(kLargeBuffer, parser_.max_header())) return false;
  if (filled_ >= kLargeBuffer) {
    if (api_->receiving_ != nullptr && api_->receiving_ != this) return false;
    api_->receiving_ = this;
  }
  buffer_.resize(filled_ < kLargeBuffer ? kLargeBuffer : 2 * filled_);
  return true;
}

bool RuntimeConnection::handle_all() {
  size_t taken = 0;
  while (taken < filled_) {
    if (waits_) return false;  // something behind a waiting GET next
    auto used = parser_.put({buffer_.data() + taken, filled_ - taken});
    if (!used) return false;
    taken += *used;
    if (parser_.done()) {
      if (!handle(parser_.take())) return false;
      if (api_ == nullptr) return false;
    } else if (parser_.take_continue()) {
      out_.append(kContinue);
    } else if (*used == 0) {
      break;
    }
  }
  if (taken == filled_ && filled_ == buffer_.size() && buffer_.size() < kLargeBuffer) buffer_.resize(kLargeBuffer);
  if (taken == 0) return true;
  filled_ -= taken;
  std::memmove(buffer_.data(), buffer_.data() + taken, filled_);
  if (buffer_.size() > kLargeBuffer && filled_ < kLargeBuffer) {
    buffer_.resize(kLargeBuffer);
    buffer_.shrink_to_fit();
  }
  return true;
}

bool RuntimeConnection::wants_body(const RuntimeRequest& request) {
  if (api_ == nullptr || (api_->receiving_ != nullptr && api_->receiving_ != this)) return false;
  if (!api_->handler_->wants_body(request)) return false;
  api_->receiving_ = this;
  return true;
}

bool RuntimeConnection::handle(RuntimeRequest request) {
  if (api_->receiving_ == this) api_->receiving_ = nullptr;
  const bool keep_alive = request.keep_alive;
  switch (request.endpoint) {
    case Endpoint::next:
      handle_next(request.import);
      break;
    case Endpoint::response:
    case Endpoint::error:
      reply(api_->handler_->on_answer(std::move(request)));
      break;
    case Endpoint::init_error:
      reply(api_->handler_->on_init_error(std::move(request)));
      break;
    case Endpoint::restore_next:
    case Endpoint::restore_error:
      append(out_, kWrongState);  // nothing here is restored from a snapshot
      break;
    case Endpoint::extension:
      append(out_, kExtension);
      break;
    case Endpoint::logs:
      append(out_, kLogs);
      break;
    case Endpoint::telemetry:
      append(out_, kTelemetry);
      break;
    case Endpoint::unknown:
      append(out_, kUnknown);
      break;
  }
  return keep_alive || waits_;
}

void RuntimeConnection::handle_next(std::chrono::microseconds import) {
  if (api_->in_next_ != nullptr || api_->handler_->on_next(import) != Verdict::accepted) {
    return append(out_, kWrongState);
  }
  waits_ = true;
  api_->in_next_ = this;
}

void RuntimeConnection::reply(Verdict verdict) {
  switch (verdict) {
    case Verdict::accepted:
      out_.append(kAccepted);
      break;
    case Verdict::too_large:
      append(out_, kTooLarge);
      break;
    case Verdict::unknown_id:
      append(out_, kUnknownId);
      break;
    case Verdict::wrong_state:
      append(out_, kWrongState);
      break;
  }
}

void RuntimeConnection::end() {
  flush();
  if (writing_.empty()) {
    boost::system::error_code ignored;  // the socket is of no use either way
    socket_.close(ignored);
  }
  if (api_ == nullptr) return;
  auto* api = std::exchange(api_, nullptr);
  if (api->receiving_ == this) api->receiving_ = nullptr;
  const bool was_in_next = api->in_next_ == this;
  if (was_in_next) api->in_next_ = nullptr;
  std::erase_if(api->connections_, [this](const auto& other) { return other.get() == this; });
  if (was_in_next) api->handler_->on_next_lost();
}

void RuntimeConnection::abandon() {
  api_ = nullptr;
  boost::system::error_code ignored;  // the socket is of no use either way
  socket_.close(ignored);
}

// ---- writing

bool RuntimeConnection::send_event(std::string_view head, std::string_view payload) {
  waits_ = false;
  out_.append(head);
  return write(payload);
}

void RuntimeConnection::flush() {
  if (!out_.empty()) (void)write({});  // a broken connection is found by its reader
}

bool RuntimeConnection::write(std::string_view payload) {
  if (!socket_.is_open()) return false;
  size_t sent = 0;
  if (writing_.empty()) {
    iovec parts[2] = {{out_.data(), out_.size()}, {const_cast<char*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = payload.empty() ? 1 : 2;
    const auto got = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return false;
    sent = got < 0 ? 0 : static_cast<size_t>(got);
    if (sent == out_.size() + payload.size()) {
      out_.clear();
      return true;
    }
  }
  out_.append(payload).erase(0, sent);
  write_rest();
  return true;
}

void RuntimeConnection::write_rest() {
  if (!writing_.empty() || out_.empty()) return;
  writing_.swap(out_);
  asio::async_write(socket_, asio::buffer(writing_),
                    [self = shared_from_this()](boost::system::error_code error, size_t) {
                      self->writing_.clear();
                      if (!error) self->write_rest();
                      if (self->closing_ && self->writing_.empty()) {
                        boost::system::error_code ignored;  // the socket is of no use either way
                        self->socket_.close(ignored);
                      }
                    });
}

}  // namespace hearth::runtime
