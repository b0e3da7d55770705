#include "gateway/control_line.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

namespace hearth::gateway {
namespace {

struct Pair {
  Fd ours, theirs;
};

Pair make_pair(int type) {
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

void say(const Fd& end, std::string_view text) {
  ASSERT_EQ(send(end.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
}

TEST(ControlLine, MakesMessagesOfAStreamInWhateverPiecesItComes) {
  auto [ours, theirs] = make_pair(SOCK_STREAM);
  ControlLine line(std::move(ours));
  EXPECT_EQ(line.receive(4).value(), std::nullopt);
  say(theirs, "ab");
  EXPECT_EQ(line.receive(4).value(), std::nullopt);
  say(theirs, "cdef");
  EXPECT_EQ(line.receive(4).value(), "abcd");
  EXPECT_EQ(line.receive(4).value(), std::nullopt);
  say(theirs, "gh");
  EXPECT_EQ(line.receive(4).value(), "efgh");
}

TEST(ControlLine, ForgetsWhatWasBegunWhenItIsDrained) {
  auto [ours, theirs] = make_pair(SOCK_STREAM);
  ControlLine line(std::move(ours));
  say(theirs, "abc");
  EXPECT_EQ(line.receive(4).value(), std::nullopt);
  say(theirs, "zz");
  fcntl(line.fd(), F_SETFL, O_NONBLOCK);
  line.drain();
  say(theirs, "efgh");
  EXPECT_EQ(line.receive(4).value(), "efgh");
}

TEST(ControlLine, RefusesDatagramsOfAnotherSize) {
  auto [ours, theirs] = make_pair(SOCK_SEQPACKET);
  ControlLine line(std::move(ours));
  say(theirs, "abcd");
  EXPECT_EQ(line.receive(4).value(), "abcd");
  for (const char* wrong : {"abc", "abcde"}) {
    say(theirs, wrong);
    auto got = line.receive(4);
    ASSERT_FALSE(got) << wrong;
    EXPECT_EQ(got.error().kind, Kind::invalid);
  }
}

TEST(ControlLine, TellsThatTheOtherEndIsGone) {
  for (int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    auto [ours, theirs] = make_pair(type);
    ControlLine line(std::move(ours));
    theirs.reset();
    EXPECT_EQ(line.receive(4).error().kind, Kind::unavailable);
    EXPECT_FALSE(line.send("abcd"));
  }
}

TEST(ControlLine, DoesNotWaitForRoom) {
  for (int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    auto [ours, theirs] = make_pair(type);
    ControlLine line(std::move(ours));
    const std::string message(448, 'x');
    Result<> sent;
    for (int i = 0; i < 100'000 && sent; ++i) sent = line.send(message);
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().errno_value, EAGAIN);
    // All that was taken is whole.
    ControlLine other(std::move(theirs));
    for (;;) {
      auto got = other.receive(message.size());
      ASSERT_TRUE(got);
      if (!*got) break;
      EXPECT_EQ(**got, message);
    }
    EXPECT_TRUE(line.send(message));
  }
}

}  // namespace
}  // namespace hearth::gateway
