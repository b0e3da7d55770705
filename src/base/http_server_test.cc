#include "base/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

namespace hearth::http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A blocking client, so that tests say byte by byte what goes over the wire.
class Client {
 public:
  enum class Expect { served, refused };
  explicit Client(uint16_t port, Expect expect = Expect::served)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval limit{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int connected = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    EXPECT_EQ(connected == 0, expect == Expect::served);
  }
  void send(std::string_view text) {
    while (!text.empty()) {
      ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  // Until the server closes, or `text` was seen.
  std::string read_until(std::string_view text) {
    std::string all;
    char piece[65536];
    while (text.empty() || all.find(text) == all.npos) {
      ssize_t got = ::recv(fd_.get(), piece, sizeof piece, 0);
      if (got < 0) all += "<no answer>";
      if (got <= 0) break;
      all.append(piece, static_cast<size_t>(got));
    }
    return all;
  }
  std::string read_all() { return read_until(""); }

 private:
  Fd fd_;
};

// Answers of /held wait until the test lets go.
struct Held {
  std::promise<void> reached;
  std::unique_ptr<asio::steady_timer> until;
};

asio::awaitable<Response> hold(Held* held) {
  held->until =
      std::make_unique<asio::steady_timer>(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  held->reached.set_value();
  boost::system::error_code ignored;
  co_await held->until->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return Response{200, {}, "held", false};
}

asio::awaitable<Response> echo(Request request) {
  Response response;
  response.headers.emplace_back("X-Seen", std::string(request.method()) + " " + std::string(request.head->target));
  if (request.path() == "/throw") throw std::runtime_error("on purpose");
  if (request.path() == "/break") response.headers.emplace_back("X-Bad", "a\r\nb: c");
  if (request.path() == "/nothing") response.status = 204;
  if (request.path() == "/close") response.close = true;
  if (request.path() == "/wait") {
    asio::steady_timer forever(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await forever.async_wait(asio::use_awaitable);
  }
  response.body = std::move(request.body);
  co_return response;
}

class HttpServer : public testing::Test {
 protected:
  void start(Options options) {
    auto listener = listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(listener) << listener.error().describe();
    auto server = Server::start(loop_.get_executor(), std::move(*listener), std::move(options), handler_);
    ASSERT_TRUE(server) << server.error().describe();
    server_ = std::move(*server);
    thread_ = std::thread([this] { loop_.run(); });
  }
  void SetUp() override {
    options_.tick = 20ms;
    options_.connections = 8;
  }
  void stop() {
    if (!thread_.joinable()) return;
    std::promise<void> stopped;
    asio::post(loop_, [&] {
      server_->stop();
      asio::co_spawn(loop_, server_->join(), [&](std::exception_ptr) { stopped.set_value(); });
    });
    stopped.get_future().wait();
    work_.reset();
    thread_.join();
  }
  void TearDown() override { stop(); }
  Counters counters() {
    return asio::post(loop_, asio::use_future([this] { return server_->counters(); })).get();
  }
  Client connect() { return Client(server_->port()); }
  std::string exchange(std::string_view request) {
    Client client = connect();
    client.send(request);
    client.finish_sending();
    return client.read_all();
  }

  Options options_;
  Handler handler_ = echo;
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

size_t count(const std::string& text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_F(HttpServer, answers_with_length_date_and_the_body) {
  start(options_);
  auto answer = exchange("POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(has(answer, "X-Seen: POST /a?b=c\r\n"));
  EXPECT_TRUE(has(answer, "Content-Length: 5\r\n"));
  EXPECT_TRUE(has(answer, "Date: "));
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello"));
}

TEST_F(HttpServer, gives_bodies_of_every_small_size_as_they_came) {
  start(options_);
  for (size_t size = 1; size < 70; ++size) {
    std::string body(size, 'b');
    auto answer = exchange(fmt::format("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}", size, body));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body)) << answer;
  }
}

TEST_F(HttpServer, answers_pipelined_requests_in_order) {
  start(options_);
  auto answer = exchange(
      "POST /1 HTTP/1.1\r\nContent-Length: 3\r\n\r\none"
      "GET /2 HTTP/1.1\r\n\r\n"
      "POST /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nth\r\n3;x=y\r\nree\r\n0\r\nTrailer: t\r\n\r\n"
      "GET /4 HTTP/1.1\r\n\r\n");
  size_t first = answer.find("/1\r"), second = answer.find("/2\r"), third = answer.find("/3\r"),
         fourth = answer.find("/4\r");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_LT(third, fourth);
  EXPECT_LT(fourth, answer.size()) << answer;
  EXPECT_TRUE(has(answer, "\r\n\r\nthreeHTTP/1.1"));
}

TEST_F(HttpServer, serves_a_request_that_comes_byte_by_byte) {
  start(options_);
  Client client = connect();
  for (char byte : std::string("POST /s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")) {
    client.send({&byte, 1});
  }
  EXPECT_TRUE(has(client.read_until("\r\n\r\na"), "X-Seen: POST /s"));
}

TEST_F(HttpServer, keeps_the_connection_until_told_to_close) {
  start(options_);
  Client client = connect();
  client.send("GET /1 HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(has(client.read_until("\r\n\r\n"), "/1"));
  client.send("GET /2 HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(has(client.read_all(), "Connection: close"));
  EXPECT_TRUE(has(exchange("GET / HTTP/1.0\r\n\r\n"), "Connection: close"));
  EXPECT_TRUE(has(exchange("GET /close HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"), "/close"));
}

TEST_F(HttpServer, head_and_204_have_no_body) {
  start(options_);
  auto head = exchange("HEAD /h HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_TRUE(has(head, "Content-Length: 2\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  auto nothing = exchange("GET /nothing HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(has(nothing, "Content-Length"));
}

TEST_F(HttpServer, says_100_continue_before_the_body) {
  start(options_);
  Client client = connect();
  client.send("PUT /c HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_TRUE(has(client.read_until("\r\n\r\nok"), "200 OK"));
  EXPECT_TRUE(has(exchange("PUT /c HTTP/1.1\r\nExpect: tea\r\nContent-Length: 2\r\n\r\nok"), " 417 "));
}

TEST_F(HttpServer, refuses_a_body_over_its_limit_and_is_heard) {
  options_.body_bytes = 1000;
  start(options_);
  EXPECT_TRUE(has(exchange("POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'a')), " 200 OK"));
  // Far more than the socket buffers hold: the answer must not be lost in a reset.
  auto over = exchange("POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n" + std::string(20'000'000, 'a'));
  EXPECT_TRUE(has(over, " 413 ")) << over;
  auto chunked = exchange("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'a') +
                          "\r\n0\r\n\r\n");
  EXPECT_TRUE(has(chunked, " 413 ")) << chunked;
}

TEST_F(HttpServer, takes_the_limit_or_a_refusal_from_its_owner) {
  options_.body_limit = [](const Head& head) -> std::variant<BodyPermit, Response> {
    if (head.path() == "/no") return Response{403, {}, "no", false};
    return BodyPermit{4, nullptr};
  };
  options_.refuse = [](int status, std::string_view reason, const Head* head) {
    return Response{status, {}, std::string(reason) + (head != nullptr ? std::string(head->path()) : ""), true};
  };
  start(options_);
  auto kept = exchange("GET /no HTTP/1.1\r\n\r\nGET /yes HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(has(kept, " 403 "));
  EXPECT_TRUE(has(kept, "X-Seen: GET /yes"));  // nothing was to be read, so the connection goes on
  auto closed = exchange("POST /no HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /yes HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(has(closed, "X-Seen"));
  EXPECT_TRUE(has(exchange("POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde"), "too large/p"));
}

TEST_F(HttpServer, refuses_what_is_not_http) {
  start(options_);
  const char* bad[] = {
      "nonsense\r\n\r\n",
      "GET / HTTP/2.0\r\n\r\n",
      "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
      "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  };
  for (const char* request : bad) EXPECT_TRUE(has(exchange(request), "HTTP/1.1 400 ")) << request;
  EXPECT_EQ(counters().refused, std::size(bad));
}

TEST_F(HttpServer, limits_the_header) {
  start(options_);
  std::string fits = "GET / HTTP/1.1\r\nA: " + std::string(Options::kHeaderBytes - 100, 'a') + "\r\n\r\n";
  EXPECT_TRUE(has(exchange(fits), " 200 OK"));
  std::string over = "GET / HTTP/1.1\r\nA: " + std::string(Options::kHeaderBytes, 'a') + "\r\n\r\n";
  EXPECT_TRUE(has(exchange(over), " 431 "));
  std::string many = "GET / HTTP/1.1\r\n";
  for (size_t i = 0; i <= Options::kHeaders; ++i) many += "A: b\r\n";
  EXPECT_TRUE(has(exchange(many + "\r\n"), " 431 "));
}

TEST_F(HttpServer, ends_slow_senders_and_idle_clients) {
  options_.header_deadline = 50ms;
  options_.body_deadline = 50ms;
  options_.idle_deadline = 50ms;
  start(options_);
  Client header = connect(), body = connect(), idle = connect();
  header.send("GET / HTT");
  body.send("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na");
  EXPECT_TRUE(has(header.read_until("\r\n\r\n"), " 408 "));
  EXPECT_TRUE(has(body.read_until("\r\n\r\n"), " 408 "));
  EXPECT_EQ(idle.read_all(), "");
}

TEST_F(HttpServer, closes_without_an_answer_when_the_client_leaves_midway) {
  start(options_);
  EXPECT_EQ(exchange("GET / HT"), "");
  EXPECT_EQ(exchange("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na"), "");
}

TEST_F(HttpServer, turns_away_a_connection_too_many) {
  options_.connections = 1;
  start(options_);
  Client first = connect();
  first.send("GET / HTTP/1.1\r\n\r\n");
  first.read_until("\r\n\r\n");
  EXPECT_TRUE(has(connect().read_all(), " 503 "));
  first.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(has(first.read_until("\r\n\r\n"), "200"));
}

TEST_F(HttpServer, survives_a_handler_that_throws_or_breaks_a_header) {
  start(options_);
  auto answer = exchange("GET /throw HTTP/1.1\r\n\r\n");
  EXPECT_EQ(count(answer, " 500 "), 1u) << answer;
  auto broken = exchange("GET /break HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(has(broken, " 500 "));
  EXPECT_FALSE(has(broken, "b: c"));
}

TEST_F(HttpServer, carries_bodies_of_megabytes_both_ways) {
  options_.body_bytes = 16 * 1024 * 1024;
  start(options_);
  std::string body(10'000'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 >> 3);
  Client client = connect();
  std::thread sender(
      [&] { client.send("POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 10000000\r\n\r\n" + body); });
  auto answer = client.read_all();
  sender.join();
  EXPECT_TRUE(answer.ends_with(body));
}

TEST_F(HttpServer, the_time_to_take_an_answer_grows_with_it) {
  options_.body_bytes = 32 * 1024 * 1024;
  options_.write_deadline = 50ms;
  options_.header_deadline = 400ms;
  start(options_);
  Client slow = connect();
  const std::string body(options_.body_bytes, 'x');  // more than sockets hold
  slow.send("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  while (counters().requests == 0) std::this_thread::yield();
  Client other = connect();
  other.send("GET");
  EXPECT_TRUE(has(other.read_all(), " 408 "));  // so 400 ms have passed
  slow.finish_sending();
  EXPECT_TRUE(slow.read_all().ends_with("\r\n\r\n" + body));
}

TEST_F(HttpServer, draining_gives_answers_under_way_and_lets_nobody_in) {
  Held held;
  handler_ = [&](Request request) { return request.path() == "/held" ? hold(&held) : echo(std::move(request)); };
  start(options_);
  Client idle = connect();
  idle.send("GET /first HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(has(idle.read_until("\r\n\r\n"), "X-Seen: GET /first"));
  Client busy = connect();
  busy.send("GET /held HTTP/1.1\r\n\r\nGET /late HTTP/1.1\r\n\r\n");
  held.reached.get_future().wait();
  asio::post(loop_, asio::use_future([&] { server_->drain(); })).get();
  EXPECT_EQ(idle.read_all(), "");
  Client(server_->port(), Client::Expect::refused);
  EXPECT_EQ(counters().open, 1U);
  asio::post(loop_, asio::use_future([&] { held.until->cancel(); })).get();
  auto answer = busy.read_all();
  EXPECT_TRUE(has(answer, "Connection: close\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nheld"));
}

TEST_F(HttpServer, stop_cancels_handlers_that_wait_for_ever) {
  start(options_);
  Client client = connect();
  client.send("GET /wait HTTP/1.1\r\n\r\n");
  while (counters().requests == 0) std::this_thread::yield();
  stop();
  EXPECT_EQ(client.read_all(), "");
}

TEST(ListenTcp, refuses_what_is_not_an_address) {
  EXPECT_EQ(listen_tcp("localhost", 0).error().kind, Kind::invalid);
  EXPECT_EQ(listen_tcp("203.0.113.1", 0).error().kind, Kind::internal);
}

}  // namespace
}  // namespace hearth::http
