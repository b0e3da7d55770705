// http::Server: an HTTP/1.1 server on one listening socket, one coroutine a connection.
//
// Serves the front door and the AWS endpoint inside containers, so a listening socket may come from elsewhere (another
// network namespace, another process). Parsing is Boost.Beast's; storage is the connection's own buffers, reused from
// request to request, and bodies are moved, never copied.
//
// Invariants: requests of one connection are handled one after the other, in order (pipelining works); a handler has no
// deadline (an invocation may take 15 minutes), everything that waits for the peer has one;
// a client that closes its sending side still gets its answer.
// Refuses by itself, through RefuseFn: malformed requests and folded headers (400), a header over its limit (431), a
// body over its limit (413), a header or body that does not arrive in time (408), a connection over the limit (503).
// After a refusal the connection is closed.
//
// Owned by the loop's thread. RFC 9112.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/task_group.h"

namespace hearth::http {

struct Header {
  std::string_view name;  // as sent
  std::string_view value;
};

// The head of a request: views into the connection's buffer, good until the handler's coroutine has ended.
struct Head {
  std::string_view method;  // "GET", as sent
  std::string_view target;  // path and query, percent-encoded, as sent
  std::vector<Header> headers;
  bool keep_alive = true;
  std::optional<uint64_t> content_length;

  // First header of that name, in any case; nullopt when there is none.
  std::optional<std::string_view> header(std::string_view name) const;
  // The target up to, and after, its first '?'.
  std::string_view path() const { return target.substr(0, target.find('?')); }
  std::string_view query() const;
};

struct Request {
  const Head* head = nullptr;
  std::string body;            // the handler's to take
  std::shared_ptr<void> held;  // of the permit for the body; goes where the body goes

  std::string_view method() const { return head->method; }
  std::string_view path() const { return head->path(); }
  std::optional<std::string_view> header(std::string_view name) const { return head->header(name); }
};

struct Response {
  int status = 200;
  // Without Content-Length, Connection and Date, which the server writes. A name or value with a line break is a bug
  // of the handler: the answer becomes 500.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool close = false;  // after this answer
};

using Handler = std::function<boost::asio::awaitable<Response>(Request)>;
struct BodyPermit {
  size_t bytes = 0;            // that the body may have
  std::shared_ptr<void> held;  // what stands for its memory; lives until the handler has let go of it
};
// Asked when the head is there and the body is not: the permit, or the answer that refuses the request at once.
using BodyLimitFn = std::function<std::variant<BodyPermit, Response>(const Head&)>;
// The answer for what the server refuses; `head` is nullptr when it could not be read.
using RefuseFn = std::function<Response(int status, std::string_view reason, const Head* head)>;

struct Options {
  static constexpr size_t kHeaderBytes = 16 * 1024;
  static constexpr size_t kHeaders = 100;  // fields of one request
  static constexpr size_t kSlowestBodyRate =
      128 * 1024;  // bytes/s; the deadline of a body, either way, grows with its length

  size_t body_bytes = 1024 * 1024;  // when there is no body_limit
  BodyLimitFn body_limit;
  RefuseFn refuse;  // default: the reason as text/plain
  size_t connections = 4096;
  // Deadlines hold to the tick; idle_deadline 0 = none.
  std::chrono::milliseconds tick{1000};
  std::chrono::milliseconds header_deadline{10'000};  // first byte → whole header
  std::chrono::milliseconds body_deadline{20'000};    // plus its length / kSlowestBodyRate
  std::chrono::milliseconds write_deadline{60'000};   // of one answer; plus its length / kSlowestBodyRate
  std::chrono::milliseconds idle_deadline{75'000};    // between requests, and before the first
};

struct Counters {
  uint64_t accepted = 0;
  uint64_t requests = 0;
  uint64_t refused = 0;  // by the server itself
  size_t open = 0;
};

class Server {
 public:
  // Starts to accept on `listener`, a listening TCP socket (made non-blocking here).
  static Result<std::unique_ptr<Server>> start(boost::asio::any_io_executor executor, Fd listener, Options options,
                                               Handler handler);
  // REQUIRES: stopped and joined.
  virtual ~Server() = default;

  // Closes the listener; a connection closes after the answer that is under way, and at once when there is none. What
  // comes after is for stop(), which may follow at any time.
  virtual void drain() = 0;
  // Closes the listener, cancels handlers and closes all connections. join() waits until all of it has ended.
  virtual void stop() = 0;
  virtual boost::asio::awaitable<void> join() = 0;

  virtual uint16_t port() const = 0;
  virtual Counters counters() const = 0;
};

// A listening TCP socket on a numeric address; port 0 = any. SO_REUSEADDR, close-on-exec, non-blocking.
Result<Fd> listen_tcp(const std::string& address, uint16_t port, int backlog = 4096);

// "404" → "Not Found"; "Unknown" for a status that has no name.
std::string_view reason_phrase(int status);

}  // namespace hearth::http
