#include "base/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>
#include <list>

#include "base/http_connection.h"
#include "base/log.h"

namespace hearth::http {
namespace asio = boost::asio;
using asio::ip::tcp;

std::optional<std::string_view> Head::header(std::string_view name) const {
  for (const Header& header : headers) {
    if (boost::beast::iequals({header.name.data(), header.name.size()}, {name.data(), name.size()}))
      return header.value;
  }
  return std::nullopt;
}

std::string_view Head::query() const {
  size_t mark = target.find('?');
  return mark == target.npos ? std::string_view() : target.substr(mark + 1);
}

std::string_view reason_phrase(int status) {
  namespace bhttp = boost::beast::http;
  auto known = bhttp::int_to_status(static_cast<unsigned>(status));
  if (known == bhttp::status::unknown) return "Unknown";
  auto phrase = bhttp::obsolete_reason(known);
  return {phrase.data(), phrase.size()};
}

Result<Fd> listen_tcp(const std::string& address, uint16_t port, int backlog) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    size = sizeof *v4;
  } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof *v6;
  } else {
    return fail(Kind::invalid, "not a numeric address: " + address);
  }
  Fd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno("socket");
  int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) return fail_errno("SO_REUSEADDR");
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) < 0) {
    return fail_errno("bind to " + address + " port " + std::to_string(port));
  }
  if (::listen(fd.get(), backlog) < 0) return fail_errno("listen");
  return fd;
}

namespace {

constexpr std::chrono::milliseconds kAcceptPause{100};  // when no descriptor is to be had

class ServerOnLoop final : public Server {
 public:
  ServerOnLoop(asio::any_io_executor executor, tcp::acceptor acceptor, Options options, Handler handler)
      : tasks_(executor), acceptor_(std::move(acceptor)), pause_(executor), tick_(executor) {
    port_ = acceptor_.local_endpoint().port();
    shared_.options = std::move(options);
    shared_.handler = std::move(handler);
    shared_.watch_deadlines = [this] {
      if (!sweeping_) start_sweeper();
    };
  }

  void start() { tasks_.spawn("http accept", accept()); }

  void drain() override {
    shared_.draining = true;
    close_listener();
    for (Connection& connection : connections_) {
      if (connection.idle()) connection.expire();
    }
  }

  void stop() override {
    tasks_.stop();
    close_listener();
  }

  asio::awaitable<void> join() override { return tasks_.join(); }
  uint16_t port() const override { return port_; }
  Counters counters() const override {
    Counters counters = shared_.counters;
    counters.open = connections_.size();
    return counters;
  }

 private:
  void close_listener() {
    if (!acceptor_.is_open()) return;
    // Not close(): others hold duplicates of a container's listener, so only release() takes it out of our epoll set.
    boost::system::error_code ignored;
    Fd listener(acceptor_.release(ignored));
  }

  asio::awaitable<void> accept() {
    for (;;) {
      boost::system::error_code error;
      tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
      if (error == asio::error::no_descriptors || error == asio::error::no_buffer_space ||
          error == asio::error::no_memory) {
        log::warn("cannot accept a connection: {}", error.message());
        pause_.expires_after(kAcceptPause);
        co_await pause_.async_wait(asio::use_awaitable);
      }
      if (!error) admit(std::move(socket));
    }
  }

  void admit(tcp::socket socket) {
    boost::system::error_code error;
    socket.non_blocking(true, error);
    if (error) return;  // gone already
    ++shared_.counters.accepted;
    if (connections_.size() >= shared_.options.connections) {
      turn_away(std::move(socket));
      return;
    }
    tasks_.spawn("http connection", serve(std::move(socket)));
  }

  // One attempt to say why; nobody waits for a client that is one too many.
  void turn_away(tcp::socket socket) {
    static constexpr std::string_view kBusy =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
    ++shared_.counters.refused;
    boost::system::error_code ignored;
    socket.send(asio::buffer(kBusy), 0, ignored);
    socket.shutdown(tcp::socket::shutdown_both, ignored);
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    struct Listed {
      std::list<Connection>& all;
      std::list<Connection>::iterator at;
      ~Listed() { all.erase(at); }
    };
    auto at = connections_.emplace(connections_.end(), std::move(socket), shared_);
    Listed listed{connections_, at};
    co_await at->run();
  }

  void start_sweeper() {
    sweeping_ = true;
    tasks_.spawn("http deadlines", sweep());
  }

  // Ticks only while a connection has a deadline: thousands of idle servers cost nothing.
  asio::awaitable<void> sweep() {
    for (bool pending = true; pending;) {
      tick_.expires_after(shared_.options.tick);
      co_await tick_.async_wait(asio::use_awaitable);
      auto now = std::chrono::steady_clock::now();
      pending = false;
      for (Connection& connection : connections_) {
        if (connection.deadline() <= now) connection.expire();
        pending |= connection.deadline() != MonotonicTime::max();
      }
    }
    sweeping_ = false;
  }

  TaskGroup tasks_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  asio::steady_timer tick_;
  uint16_t port_ = 0;
  bool sweeping_ = false;
  Shared shared_;
  std::list<Connection> connections_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(asio::any_io_executor executor, Fd listener, Options options,
                                              Handler handler) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0) return fail_errno("getsockname");
  int on = 1;  // accepted sockets inherit it
  if (::setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) return fail_errno("TCP_NODELAY");
  tcp::acceptor acceptor(executor);
  boost::system::error_code error;
  acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), listener.get(), error);
  if (error) return fail_errno("watch the listener", error.value());
  listener.release();
  acceptor.non_blocking(true, error);
  if (error) return fail_errno("O_NONBLOCK", error.value());
  auto server = std::make_unique<ServerOnLoop>(executor, std::move(acceptor), std::move(options), std::move(handler));
  server->start();
  return server;
}

}  // namespace hearth::http
