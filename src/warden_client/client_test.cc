#include "warden_client/client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstring>
#include <functional>
#include <optional>

#include "base/task_group.h"
#include "warden_client/link.h"

namespace hearth {
namespace {

using namespace std::chrono_literals;
using warden::RequestFrame;

// The warden's end, driven by the test: plain blocking sockets, polled between turns of the loop.
class FakeWarden {
 public:
  FakeWarden() : path_("/tmp/hearth-client-" + random_hex(12) + ".sock") { listen(); }
  ~FakeWarden() { ::unlink(path_.c_str()); }

  const std::string& path() const { return path_; }

  void listen() {
    ::unlink(path_.c_str());
    listener_ = Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::listen(listener_.get(), 4), 0);
  }
  bool accept() {
    if (!readable(listener_.get())) return false;
    connection_ = Fd(::accept(listener_.get(), nullptr, nullptr));
    return true;
  }
  std::optional<RequestFrame> receive() {
    if (!connection_.valid() || !readable(connection_.get())) return std::nullopt;
    std::string buffer(warden::kMaxMessage, '\0');
    const auto got = ::recv(connection_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return std::nullopt;
    auto frame = warden::decode_request({buffer.data(), static_cast<size_t>(got)});
    EXPECT_TRUE(frame) << frame.error().describe();
    return *frame;
  }
  void reply(int64_t id, warden::Reply reply, std::vector<int> fds = {}) {
    send(warden::encode(warden::ReplyFrame{id, std::move(reply)}), std::move(fds));
  }
  void send(const std::string& text, std::vector<int> fds = {}) {
    char control[CMSG_SPACE(sizeof(int) * 16)] = {};
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
      auto* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
    }
    ASSERT_GE(::sendmsg(connection_.get(), &message, MSG_NOSIGNAL), 0);
  }
  void hang_up() { connection_.reset(); }

 private:
  static bool readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, 0) > 0;
  }
  std::string path_;
  Fd listener_;
  Fd connection_;
};

// The references are of the test, which outlives the loop.
// NOLINTBEGIN(*-reference-coroutine-parameters)
boost::asio::awaitable<void> make_call(WardenClient& client, warden::Request request,
                                       std::chrono::milliseconds deadline,
                                       std::optional<Result<WardenAnswer>>& answer) {
  answer = co_await client.call(std::move(request), deadline);
}
// NOLINTEND(*-reference-coroutine-parameters)

struct ClientTest : testing::Test {
  void run_until(const std::function<bool()>& reached) {
    const auto limit = std::chrono::steady_clock::now() + 5s;
    while (!reached()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit) << "did not happen within 5 s";
      loop.restart();
      loop.run_for(1ms);
    }
  }
  void start() {
    client = WardenClient::start(loop.get_executor(), warden_end.path(),
                                 {.on_connected = [this](const warden::HelloReply& hello) { hellos.push_back(hello); },
                                  .on_disconnected = [this] { ++disconnects; },
                                  .on_container_gone = [this](const warden::ContainerGone& g) { gone.push_back(g); }});
  }
  void greet() {
    run_until([&] { return warden_end.accept(); });
    auto hello = next();
    ASSERT_TRUE(std::holds_alternative<warden::Hello>(hello.request));
    const auto before = hellos.size();
    warden_end.reply(hello.id, warden::HelloReply{warden::kProtocolVersion, {"python3.11"}, "v1"});
    run_until([&] { return hellos.size() > before; });
  }
  RequestFrame next() {
    std::optional<RequestFrame> frame;
    run_until([&] { return (frame = warden_end.receive()).has_value(); });
    return frame.value_or(RequestFrame{});
  }
  void call(warden::Request request, std::chrono::milliseconds deadline = 5s) {
    tasks.spawn("call", make_call(*client, std::move(request), deadline, answer));
  }
  void TearDown() override {
    if (client) client->stop();
    tasks.stop();
    run_until([&] { return tasks.size() == 0; });
  }

  boost::asio::io_context loop;
  TaskGroup tasks{loop.get_executor()};
  FakeWarden warden_end;
  std::unique_ptr<WardenClient> client;
  std::vector<warden::HelloReply> hellos;
  std::vector<warden::ContainerGone> gone;
  int disconnects = 0;
  std::optional<Result<WardenAnswer>> answer;
};

const ContainerId kContainer("c0123456789abcdef");

TEST_F(ClientTest, CallsAreAnsweredWithTheirDescriptors) {
  start();
  greet();
  call(warden::MakeContainer{"python3.11"});
  auto request = next();
  EXPECT_EQ(std::get<warden::MakeContainer>(request.request).runtime, "python3.11");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Fd read_end(ends[0]), write_end(ends[1]);
  warden_end.reply(request.id, warden::ContainerReply{kContainer, "100.64.0.5"}, {read_end.get()});
  run_until([&] { return answer.has_value(); });
  ASSERT_TRUE(*answer) << answer->error().describe();
  ASSERT_EQ((*answer)->fds.size(), 1u);
  ASSERT_EQ(::write(write_end.get(), "x", 1), 1);
  char got = 0;
  EXPECT_EQ(::read((*answer)->fds[0].get(), &got, 1), 1);
  EXPECT_EQ(got, 'x');
}

TEST_F(ClientTest, RepliesMayComeInAnyOrder) {
  start();
  greet();
  std::optional<Result<WardenAnswer>> second;
  call(warden::Kill{kContainer});
  tasks.spawn("call", make_call(*client, warden::ListContainers{}, 5s, second));
  auto kill = next();
  auto list = next();
  warden_end.reply(list.id, warden::ListContainersReply{});
  run_until([&] { return second.has_value(); });
  EXPECT_FALSE(answer.has_value());
  warden_end.send(warden::encode(warden::ReplyFrame{kill.id, fail(Kind::not_found, "no such container")}));
  run_until([&] { return answer.has_value(); });
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().kind, Kind::not_found);
  EXPECT_EQ(answer->error().message, "no such container");
}

TEST_F(ClientTest, AnUnansweredCallEndsAtItsDeadlineAndItsLateReplyIsDropped) {
  start();
  greet();
  call(warden::MakeContainer{"python3.11"}, 20ms);
  auto request = next();
  run_until([&] { return answer.has_value(); });
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().kind, Kind::timeout);
  warden_end.reply(request.id, warden::ContainerReply{kContainer, "100.64.0.5"}, {0});
  answer.reset();
  call(warden::ListContainers{});
  warden_end.reply(next().id, warden::ListContainersReply{});
  run_until([&] { return answer.has_value(); });
  EXPECT_TRUE(*answer);
}

TEST_F(ClientTest, WithoutAWardenCallsFailAtOnce) {
  start();
  call(warden::ListContainers{});
  run_until([&] { return answer.has_value(); });
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().kind, Kind::unavailable);
}

TEST_F(ClientTest, ReconnectsAfterTheWardenWentAwayAndFailsWhatWasUnderWay) {
  start();
  greet();
  call(warden::ListContainers{});
  next();
  warden_end.hang_up();
  run_until([&] { return answer.has_value(); });
  EXPECT_EQ(answer->error().kind, Kind::unavailable);
  EXPECT_EQ(disconnects, 1);
  EXPECT_FALSE(client->connected());
  greet();
  EXPECT_TRUE(client->connected());
  EXPECT_EQ(hellos.size(), 2u);
}

TEST_F(ClientTest, AnotherProtocolVersionIsRefused) {
  start();
  run_until([&] { return warden_end.accept(); });
  auto hello = next();
  warden_end.reply(hello.id, warden::HelloReply{warden::kProtocolVersion + 1, {"python3.11"}, "v1"});
  run_until([&] { return warden_end.accept(); });  // it tries again from the start
  EXPECT_TRUE(hellos.empty());
  EXPECT_FALSE(client->connected());
}

TEST_F(ClientTest, GarbageEndsTheConnection) {
  start();
  greet();
  warden_end.send("no json");
  run_until([&] { return disconnects == 1; });
}

TEST_F(ClientTest, ContainerEventsReachTheirHook) {
  start();
  greet();
  warden_end.send(warden::encode(warden::ContainerGone{kContainer, "signaled", 9, true}));
  run_until([&] { return gone.size() == 1; });
  EXPECT_EQ(gone[0].container, kContainer);
  EXPECT_TRUE(gone[0].out_of_memory);
}

TEST_F(ClientTest, OutstandingCallsAreBounded) {
  start();
  greet();
  std::vector<std::optional<Result<WardenAnswer>>> answers(warden::kMaxOutstanding + 1);
  for (auto& one : answers) tasks.spawn("call", make_call(*client, warden::ListContainers{}, 5s, one));
  run_until([&] { return answers.back().has_value(); });
  EXPECT_EQ(answers.back()->error().kind, Kind::exhausted);
  EXPECT_FALSE(answers.front().has_value());
  for (size_t i = 0; i < warden::kMaxOutstanding; ++i) {
    warden_end.reply(next().id, warden::ListContainersReply{});
    loop.restart();
    loop.poll();
  }
  run_until([&] { return answers[warden::kMaxOutstanding - 1].has_value(); });
  EXPECT_TRUE(*answers.front());
}

TEST_F(ClientTest, AWardenThatDoesNotGreetIsAskedLessAndLess) {
  start();
  std::vector<std::chrono::steady_clock::time_point> asked;
  for (int i = 0; i < 5; ++i) {
    run_until([&] { return warden_end.accept(); });
    asked.push_back(std::chrono::steady_clock::now());
    next();
    warden_end.hang_up();
  }
  EXPECT_GE(asked[4] - asked[3], 8 * WardenLink::kReconnect);
  greet();
  EXPECT_TRUE(client->connected());
  warden_end.hang_up();
  const auto ended = std::chrono::steady_clock::now();
  run_until([&] { return warden_end.accept(); });
  EXPECT_LT(std::chrono::steady_clock::now() - ended, 8 * WardenLink::kReconnect);
}

}  // namespace
}  // namespace hearth
