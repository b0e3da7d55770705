#include "kernel/unix_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>

namespace hearth::kernel {
namespace {

int open_descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

TEST(UnixSocket, DatagramsKeepTheirBoundsAndDescriptors) {
  auto ends = seqpacket_pair().value();
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  Fd read_end(pipe_ends[0]), write_end(pipe_ends[1]);
  std::array<int, 1> fds = {write_end.get()};
  ASSERT_TRUE(send_datagram(ends.first.get(), "one", fds, 0).has_value());
  ASSERT_TRUE(send_datagram(ends.first.get(), "two", {}, 0).has_value());
  auto first = receive_datagram(ends.second.get(), 16, 1, 0).value();
  EXPECT_EQ(first.bytes, "one");
  ASSERT_EQ(first.fds.size(), 1U);
  EXPECT_EQ(fcntl(first.fds[0].get(), F_GETFD), FD_CLOEXEC);
  ASSERT_EQ(write(first.fds[0].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(read_end.get(), &byte, 1), 1);
  EXPECT_EQ(receive_datagram(ends.second.get(), 16, 1, 0).value().bytes, "two");
}

TEST(UnixSocket, NothingWaitingIsEagainAndAClosedPeerIsEmpty) {
  auto ends = seqpacket_pair().value();
  auto nothing = receive_datagram(ends.second.get(), 16, 0, MSG_DONTWAIT);
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().errno_value, EAGAIN);
  ends.first.reset();
  EXPECT_TRUE(receive_datagram(ends.second.get(), 16, 0, 0).value().bytes.empty());
}

TEST(UnixSocket, RefusesLongDatagramsWholeAndGoesOn) {
  auto ends = seqpacket_pair().value();
  ASSERT_TRUE(send_datagram(ends.first.get(), std::string(17, 'x'), {}, 0).has_value());
  ASSERT_TRUE(send_datagram(ends.first.get(), "next", {}, 0).has_value());
  auto refused = receive_datagram(ends.second.get(), 16, 0, 0);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Kind::invalid);
  EXPECT_EQ(receive_datagram(ends.second.get(), 16, 0, 0).value().bytes, "next");
}

TEST(UnixSocket, RefusesAndClosesDescriptorsOverTheLimit) {
  auto ends = seqpacket_pair().value();
  std::array<int, 2> two = {0, 0};
  int before = open_descriptors();
  ASSERT_TRUE(send_datagram(ends.first.get(), "x", two, 0).has_value());
  auto refused = receive_datagram(ends.second.get(), 16, 1, 0);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Kind::invalid);
  EXPECT_EQ(open_descriptors(), before);
  std::array<int, kMaxDatagramFds + 1> many{};
  EXPECT_EQ(send_datagram(ends.first.get(), "x", many, 0).error().kind, Kind::invalid);
}

TEST(UnixSocket, AFullSocketIsEagain) {
  auto ends = seqpacket_pair().value();
  Result<> sent;
  for (int i = 0; i < 100'000 && sent; ++i)
    sent = send_datagram(ends.first.get(), std::string(4096, 'x'), {}, MSG_DONTWAIT);
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().errno_value, EAGAIN);
}

TEST(UnixSocket, ListenerHasModeAndTellsWhoConnects) {
  std::string folder = std::filesystem::temp_directory_path() / "hearth-socket-test-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::string path = folder + "/socket";
  auto listener = listen_seqpacket(path, geteuid(), 0660).value();
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660U);
  EXPECT_EQ(accept_connection(listener.get()).error().errno_value, EAGAIN);
  Fd client(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  auto accepted = accept_connection(listener.get()).value();
  EXPECT_EQ(peer_uid(accepted.get()).value(), geteuid());
  std::filesystem::remove_all(folder);
  EXPECT_EQ(listen_seqpacket("/" + std::string(200, 'x'), 0, 0600).error().kind, Kind::invalid);
}

TEST(UnixSocket, AListenerReplacesWhatIsThereAndLeavesNothingBeside) {
  std::string folder = std::filesystem::temp_directory_path() / "hearth-listen-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/socket";
  for (int i = 0; i < 2; ++i) {
    auto listener = listen_seqpacket(path, getuid(), 0660);
    ASSERT_TRUE(listener) << listener.error().describe();
    auto connection = connect_seqpacket(path);
    ASSERT_TRUE(connection) << connection.error().describe();
    EXPECT_TRUE(accept_connection(listener->get()).has_value());
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0660));
    const auto entries = std::filesystem::directory_iterator(folder);
    EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hearth::kernel
