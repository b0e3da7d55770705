#include "base/http_connection.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <ctime>

#include "base/log.h"

namespace hearth::http {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr size_t kChunkBuffer = 16 * 1024;  // a chunk header or trailer must fit
constexpr size_t kLingerBytes = 128 * 1024 * 1024;
constexpr std::chrono::seconds kLinger{10};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool same(std::string_view a, std::string_view b) {
  return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

bool breaks_line(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos; }

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

Response failed() { return Response{500, {{"Content-Type", "text/plain"}}, "internal error\n", true}; }

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Shared& shared) : socket_(std::move(socket)), shared_(shared) {
  buffer_.resize(kFirstBuffer);
}

void Connection::expire() {
  expired_ = true;
  deadline_ = MonotonicTime::max();
  error_code ignored;  // a socket that is closed has nothing to cancel
  socket_.cancel(ignored);
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
  expired_ = false;
  deadline_ = std::chrono::steady_clock::now() + from_now;
  shared_.watch_deadlines();
}

asio::awaitable<void> Connection::run() {
  for (;;) {
    Got got = co_await read_request();
    if (got == Got::closed) break;
    if (got == Got::all) {
      ++shared_.counters.requests;
      no_deadline();
      Response response = co_await ask_handler();
      bool close = response.close || !head_.keep_alive || shared_.draining;
      if (!co_await respond(std::move(response), close) || close) break;
    }
    keep_rest();
  }
  error_code ignored;  // the peer may have closed first
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
}

asio::awaitable<Connection::Got> Connection::read_request() {
  Got got = co_await read_head();
  if (got != Got::all) co_return got;
  got = co_await admit_body();
  if (got != Got::all) co_return got;
  co_return co_await read_body();
}

asio::awaitable<size_t> Connection::read_some(char* to, size_t room) {
  error_code error;
  size_t read =
      co_await socket_.async_read_some(asio::buffer(to, room), asio::redirect_error(asio::use_awaitable, error));
  co_return error ? 0 : read;
}

asio::awaitable<Connection::Got> Connection::read_head() {
  head_read_ = false;
  used_ = 0;
  if (shared_.draining && filled_ == 0) co_return Got::closed;
  parser_.emplace(head_);
  if (filled_ > 0) {
    set_deadline(shared_.options.header_deadline);
  } else if (shared_.options.idle_deadline.count() > 0) {
    set_deadline(shared_.options.idle_deadline);
  } else {
    no_deadline();
  }
  for (;;) {
    Parsed parsed = filled_ == 0 ? Parsed::more : parser_->take_head(buffer_.data(), buffer_.data() + filled_);
    if (parsed == Parsed::done) break;
    if (parsed == Parsed::bad) co_return co_await refuse(400, "malformed request");
    bool full = filled_ == Options::kHeaderBytes;
    if (parsed != Parsed::more || full) co_return co_await refuse(431, "request header too large");
    if (filled_ == buffer_.size()) {  // the parsed views move with the buffer: read the head anew
      buffer_.resize(Options::kHeaderBytes);
      parser_.emplace(head_);
      continue;
    }
    bool first = filled_ == 0;
    idle_ = first;
    size_t read = co_await read_some(buffer_.data() + filled_, buffer_.size() - filled_);
    idle_ = false;
    if (read == 0 && expired_ && !first) co_return co_await refuse(408, "request header not received in time");
    if (read == 0) co_return Got::closed;
    filled_ += read;
    if (first) set_deadline(shared_.options.header_deadline);
  }
  head_read_ = true;
  used_ = parser_->head_size();
  chunked_ = parser_->has_chunked_body();
  co_return Got::all;
}

bool Connection::body_follows() const { return chunked_ || head_.content_length.value_or(0) > 0; }

asio::awaitable<Connection::Got> Connection::admit_body() {
  body_.clear();
  permit_ = {shared_.options.body_bytes, nullptr};
  if (shared_.options.body_limit) {
    auto admitted = shared_.options.body_limit(head_);
    if (auto* response = std::get_if<Response>(&admitted)) {
      if (body_follows()) co_return co_await refuse_with(std::move(*response));
      // Nothing follows, so the connection stays in step.
      bool close = response->close || !head_.keep_alive;
      if (!co_await respond(std::move(*response), close) || close) co_return Got::closed;
      co_return Got::answered;
    }
    permit_ = std::move(std::get<BodyPermit>(admitted));
  }
  if (head_.content_length.value_or(0) > permit_.bytes) co_return co_await refuse(413, "request body too large");
  auto expect = body_follows() ? head_.header("expect") : std::nullopt;
  if (!expect) co_return Got::all;
  if (!same(*expect, "100-continue")) co_return co_await refuse(417, "unknown expectation");
  if (filled_ > used_) co_return Got::all;  // the body comes already
  set_deadline(shared_.options.write_deadline);
  if (!co_await write_all(kContinue, {})) co_return Got::closed;
  co_return Got::all;
}

asio::awaitable<Connection::Got> Connection::read_body() {
  if (chunked_) co_return co_await read_chunked_body();
  if (head_.content_length.value_or(0) > 0) co_return co_await read_sized_body(*head_.content_length);
  co_return Got::all;
}

asio::awaitable<Connection::Got> Connection::read_sized_body(size_t length) {
  size_t got = std::min(length, filled_ - used_);
  // Not zeroed: memory of a body that never comes is never touched. The lambda's size is not asked: libstdc++ 12 gives
  // the capacity it grew to.
  body_.resize_and_overwrite(length, [&](char* to, size_t) {
    std::copy_n(buffer_.data() + used_, got, to);
    return length;
  });
  used_ += got;
  if (got == length) co_return Got::all;
  set_deadline(shared_.options.body_deadline + std::chrono::seconds(length / Options::kSlowestBodyRate));
  while (got < length) {
    size_t read = co_await read_some(body_.data() + got, length - got);
    if (read == 0 && expired_) co_return co_await refuse(408, "request body not received in time");
    if (read == 0) co_return Got::closed;
    got += read;
  }
  co_return Got::all;
}

asio::awaitable<Connection::Got> Connection::read_chunked_body() {
  chunks_.assign(buffer_, used_, filled_ - used_);
  filled_ = used_;  // what follows the request ends up in chunks_
  set_deadline(shared_.options.body_deadline + std::chrono::seconds(permit_.bytes / Options::kSlowestBodyRate));
  for (;;) {
    size_t consumed = 0;
    Parsed parsed = parser_->take_chunks(chunks_, permit_.bytes, body_, consumed);
    chunks_.erase(0, consumed);
    if (parsed == Parsed::done) co_return Got::all;
    if (parsed == Parsed::too_large) co_return co_await refuse(413, "request body too large");
    if (parsed != Parsed::more || chunks_.size() >= kChunkBuffer) co_return co_await refuse(400, "malformed chunk");
    size_t kept = chunks_.size();
    chunks_.resize(kChunkBuffer);
    size_t read = co_await read_some(chunks_.data() + kept, kChunkBuffer - kept);
    chunks_.resize(kept + read);
    if (read == 0 && expired_) co_return co_await refuse(408, "request body not received in time");
    if (read == 0) co_return Got::closed;
  }
}

// Moves what the client sent beyond this request to the front.
void Connection::keep_rest() {
  if (chunked_) {
    if (chunks_.size() > buffer_.size()) buffer_.resize(chunks_.size());
    std::copy(chunks_.begin(), chunks_.end(), buffer_.begin());
    filled_ = chunks_.size();
    chunks_.clear();
  } else {
    std::copy(buffer_.begin() + used_, buffer_.begin() + filled_, buffer_.begin());
    filled_ -= used_;
  }
  used_ = 0;
}

asio::awaitable<Response> Connection::ask_handler() {
  std::string reason;
  try {
    Request request{&head_, std::move(body_), std::move(permit_.held)};
    co_return co_await shared_.handler(std::move(request));
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    reason = error.what();
  } catch (const std::exception& error) {
    reason = error.what();
  }
  log::error("handler of {} {} threw: {}", head_.method, head_.path(), reason);
  co_return failed();
}

asio::awaitable<Connection::Got> Connection::refuse(int status, std::string_view reason) {
  const Head* head = head_read_ ? &head_ : nullptr;
  Response response;
  if (shared_.options.refuse) {
    response = shared_.options.refuse(status, reason, head);
  } else {
    response = Response{status, {{"Content-Type", "text/plain"}}, std::string(reason) + "\n", true};
  }
  co_return co_await refuse_with(std::move(response));
}

asio::awaitable<Connection::Got> Connection::refuse_with(Response response) {
  ++shared_.counters.refused;
  if (co_await respond(std::move(response), true)) co_await linger();
  co_return Got::closed;
}

// A close with unread bytes would reset the connection, and the client might never read the answer (RFC 9112, 9.6).
asio::awaitable<void> Connection::linger() {
  error_code ignored;  // if the peer is gone, the read below says so
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  set_deadline(kLinger);
  size_t total = 0;
  buffer_.resize(Options::kHeaderBytes);
  while (total < kLingerBytes) {
    size_t read = co_await read_some(buffer_.data(), buffer_.size());
    if (read == 0) break;
    total += read;
  }
}

void Connection::note_date() {
  std::time_t now = std::time(nullptr);
  if (now == shared_.date_second) return;
  shared_.date_second = now;
  shared_.date = fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", fmt::gmtime(now));
}

void Connection::format_head(const Response& response, bool close) {
  note_date();
  out_.clear();
  auto to = std::back_inserter(out_);
  fmt::format_to(to, "HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  for (const auto& [name, value] : response.headers) {
    out_.append(name).append(": ").append(value).append("\r\n");
  }
  if (!has_no_body(response.status)) fmt::format_to(to, "Content-Length: {}\r\n", response.body.size());
  if (close) out_.append("Connection: close\r\n");
  out_.append(shared_.date).append("\r\n");
}

asio::awaitable<bool> Connection::respond(Response response, bool close) {
  for (const auto& [name, value] : response.headers) {
    if (!breaks_line(name) && !breaks_line(value)) continue;
    log::error("answer to {} {} has a line break in header {:?}", head_.method, head_.path(), name);
    response = failed();
    break;
  }
  format_head(response, close);
  bool body_goes = !has_no_body(response.status) && !(head_read_ && head_.method == "HEAD");
  auto for_body = std::chrono::seconds(body_goes ? response.body.size() / Options::kSlowestBodyRate : 0);
  set_deadline(shared_.options.write_deadline + for_body);
  co_return co_await write_all(out_, body_goes ? std::string_view(response.body) : std::string_view());
}

asio::awaitable<bool> Connection::write_all(std::string_view first, std::string_view second) {
  std::array<asio::const_buffer, 2> pieces{asio::buffer(first), asio::buffer(second)};
  for (;;) {
    error_code error;
    size_t sent = socket_.send(pieces, 0, error);  // first without the event loop: it nearly always fits
    if (error == asio::error::would_block) {
      error = {};
      co_await socket_.async_wait(asio::ip::tcp::socket::wait_write, asio::redirect_error(asio::use_awaitable, error));
    }
    if (error) co_return false;
    size_t of_first = std::min(sent, pieces[0].size());
    pieces[0] += of_first;
    pieces[1] += sent - of_first;
    if (pieces[0].size() + pieces[1].size() == 0) co_return true;
  }
}

}  // namespace hearth::http
