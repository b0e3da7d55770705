// The Runtime API against clients that do what they like.
#include "runtime/runtime_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <functional>

#include "runtime/runtime_connection.h"

namespace hearth::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using Verdict = RuntimeApiHandler::Verdict;

struct RecordingHandler final : RuntimeApiHandler {
  Verdict on_next(std::chrono::microseconds) override {
    ++nexts;
    return next_verdict;
  }
  void on_next_lost() override { ++lost; }
  bool wants_body(const RuntimeRequest& request) override { return request.request_id == "now"; }
  Verdict on_answer(RuntimeRequest request) override {
    answers.push_back(std::move(request));
    return answers.back().wanted ? Verdict::accepted : Verdict::unknown_id;
  }
  Verdict on_init_error(RuntimeRequest) override { return Verdict::accepted; }
  void on_settled() override {
    ++settled;
    if (then) then();
  }
  Verdict next_verdict = Verdict::accepted;
  int nexts = 0, lost = 0, settled = 0;
  std::vector<RuntimeRequest> answers;
  std::function<void()> then;
};

class Client {
 public:
  explicit Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  void send(std::string_view text) { (void)::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  size_t try_send(std::string_view text) {
    const auto sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  void close() { socket_.reset(); }
  // What has come so far.
  const std::string& received() {
    char buffer[65536];
    for (pollfd one{socket_.get(), POLLIN, 0}; ::poll(&one, 1, 0) > 0;) {
      const auto got = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
      ended_ = ended_ || got <= 0;
      if (got <= 0) break;
      received_.append(buffer, static_cast<size_t>(got));
    }
    return received_;
  }
  bool ended() {
    received();
    return ended_;
  }

 private:
  Fd socket_;
  std::string received_;
  bool ended_ = false;
};

constexpr std::string_view kNext = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n";
constexpr std::string_view kAnswer =
    "POST /2018-06-01/runtime/invocation/now/response HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
constexpr std::string_view kEvent = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

class RuntimeApiTest : public testing::Test {
 protected:
  RuntimeApiTest() {
    Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener.get(), 64), 0);
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    api = std::make_unique<RuntimeApi>(tasks, held, std::move(listener), handler);
  }
  ~RuntimeApiTest() override {
    api.reset();
    tasks.stop();
    run_until([&] { return tasks.size() == 0; });
  }
  void run_until(const std::function<bool()>& reached) {
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (!reached()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "did not happen in time";
      if (loop.stopped()) loop.restart();
      loop.run_one_for(1ms);
    }
  }

  // More than the socket holds: the loop reads meanwhile.
  void send_all(Client& client, std::string_view text) {
    run_until([&] {
      text.remove_prefix(client.try_send(text));
      return text.empty() || client.ended();
    });
  }

  boost::asio::io_context loop;
  TaskGroup tasks{loop.get_executor()};
  Deadlines deadlines{loop.get_executor()};
  HeldReplies held{deadlines};
  RecordingHandler handler;
  uint16_t port = 0;
  std::unique_ptr<RuntimeApi> api;
};

TEST_F(RuntimeApiTest, AnEventThatIsThereGoesOutWithTheAnswersAcknowledgement) {
  Client client(port);
  handler.then = [&] { EXPECT_TRUE(api->send_event(kEvent, "event")); };
  client.send(std::string(kAnswer) + std::string(kNext));
  run_until([&] { return client.received().ends_with("event"); });
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 202 Accepted\r\n"));
  EXPECT_EQ(handler.answers.size(), 1u);
  EXPECT_EQ(handler.answers[0].body, "{}");
  EXPECT_EQ(handler.settled, 1);
}

TEST_F(RuntimeApiTest, AnAcknowledgementDoesNotWaitForEverForAnEvent) {
  Client client(port);
  client.send(std::string(kAnswer) + std::string(kNext));
  run_until([&] { return client.received().ends_with("{\"status\":\"OK\"}\n"); });
  EXPECT_TRUE(api->send_event(kEvent, "event"));
  run_until([&] { return client.received().ends_with("event"); });
}

TEST_F(RuntimeApiTest, OnlyOneConnectionWaitsForAnEvent) {
  Client first(port), second(port);
  first.send(kNext);
  run_until([&] { return handler.nexts == 1; });
  second.send(kNext);
  run_until([&] { return !second.received().empty(); });
  EXPECT_THAT(second.received(), StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  first.close();
  run_until([&] { return handler.lost == 1; });
  EXPECT_FALSE(api->send_event(kEvent, "event"));
  second.send(kNext);
  run_until([&] { return handler.nexts == 2; });
  EXPECT_TRUE(api->send_event(kEvent, "event"));
}

TEST_F(RuntimeApiTest, WhatIsSentBehindAWaitingNextEndsTheConnection) {
  Client client(port);
  client.send(kNext);
  run_until([&] { return handler.nexts == 1; });
  client.send(kAnswer);
  run_until([&] { return client.ended(); });
  EXPECT_EQ(handler.lost, 1);
  EXPECT_TRUE(handler.answers.empty());
}

TEST_F(RuntimeApiTest, GarbageEndsTheConnectionAndOnlyIt) {
  Client bad(port), good(port);
  bad.send("\x16\x03\x01\r\n\r\n");
  run_until([&] { return bad.ended(); });
  Client endless(port);
  endless.send("GET / HTTP/1.1\r\nA: " + std::string(RuntimeRequestParser::kMaxHeader + 1000, 'x'));
  run_until([&] { return endless.ended(); });
  good.send(kNext);
  run_until([&] { return handler.nexts == 1; });
}

TEST_F(RuntimeApiTest, ConnectionsAreBounded) {
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < RuntimeApi::kMaxConnections; ++i) clients.push_back(std::make_unique<Client>(port));
  for (auto& client : clients) client->send("GET /x HTTP/1.1\r\n\r\n");
  for (auto& client : clients) run_until([&] { return !client->received().empty(); });
  Client over(port);
  run_until([&] { return over.ended(); });
  clients.front()->close();
  run_until([&] {
    Client again(port);
    again.send("GET /x HTTP/1.1\r\n\r\n");
    for (int i = 0; i < 50 && again.received().empty() && !again.ended(); ++i) loop.run_one_for(1ms);
    return !again.received().empty();
  });
}

TEST_F(RuntimeApiTest, AClientThatDoesNotReadIsNotReadEither) {
  Client client(port);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "GET /x HTTP/1.1\r\n\r\n";
  // Until neither side takes any more: the answers fill the client's socket, then the requests fill ours.
  size_t sent = 0;
  for (int idle = 0; idle < 5;) {
    const auto part = client.try_send(many);
    sent += part;
    idle = part == 0 ? idle + 1 : 0;
    loop.run_one_for(1ms);
  }
  EXPECT_LT(sent, 64u * 1024 * 1024);
  const auto handled = handler.settled;
  for (int i = 0; i < 20; ++i) loop.run_one_for(1ms);
  EXPECT_EQ(handler.settled, handled);
  client.received();
  run_until([&] {
    client.received();
    return handler.settled > handled;
  });
}

TEST_F(RuntimeApiTest, OneBodyAtATimeIsKept) {
  Client slow(port), quick(port);
  slow.send("POST /2018-06-01/runtime/invocation/now/response HTTP/1.1\r\nContent-Length: 10\r\n\r\nab");
  slow.received();
  for (int i = 0; i < 50; ++i) loop.run_one_for(1ms);
  quick.send(kAnswer);
  run_until([&] { return handler.answers.size() == 1; });
  EXPECT_FALSE(handler.answers[0].wanted);
  slow.close();
  for (int i = 0; i < 50; ++i) loop.run_one_for(1ms);
  quick.send(kAnswer);
  run_until([&] { return handler.answers.size() == 2; });
  EXPECT_TRUE(handler.answers[1].wanted);
}

TEST_F(RuntimeApiTest, AnErrorWithALongHeaderIsTakenOneConnectionAtATime) {
  const std::string begin = "POST /2018-06-01/runtime/invocation/now/error HTTP/1.1\r\nContent-Length: 2\r\nCause: ";
  const std::string cause(1024 * 1024 - 1, 'x');
  Client slow(port), quick(port);
  send_all(slow, begin + cause);
  send_all(quick, begin + std::string(RuntimeConnection::kLargeBuffer, 'x'));
  run_until([&] { return quick.ended(); });
  slow.send("\r\n\r\n{}" + std::string(kNext));
  run_until([&] { return handler.nexts == 1; });
  ASSERT_EQ(handler.answers.size(), 1u);
  EXPECT_EQ(handler.answers[0].body, "{}");
  Client again(port);
  send_all(again, begin + cause + "\r\n\r\n{}");
  run_until([&] { return handler.answers.size() == 2; });
}

TEST_F(RuntimeApiTest, AnEventLargerThanTheSocketTakesArrivesWhole) {
  Client client(port);
  client.send(kNext);
  run_until([&] { return handler.nexts == 1; });
  const std::string payload(6 * 1024 * 1024, 'p');
  EXPECT_TRUE(
      api->send_event("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(payload.size()) + "\r\n\r\n", payload));
  run_until([&] { return client.received().size() >= payload.size() + 40; });
  EXPECT_TRUE(client.received().ends_with(payload));
}

TEST_F(RuntimeApiTest, ClosingItFromTheHandlerIsSafe) {
  Client client(port);
  handler.then = [&] { api.reset(); };
  client.send(std::string(kAnswer) + std::string(kNext));
  run_until([&] { return client.ended(); });
  EXPECT_EQ(handler.lost, 0);
}

}  // namespace
}  // namespace hearth::runtime
