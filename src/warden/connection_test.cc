#include "warden/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <iterator>

#include "kernel/unix_socket.h"

namespace hearth::warden {
namespace {

class ConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "its send buffer needs root";
    auto ends = kernel::seqpacket_pair().value();
    peer_ = std::move(ends.second);
    connection_.emplace(Connection::adopt(std::move(ends.first), 1).value());
  }
  Fd peer_;
  std::optional<Connection> connection_;
};

TEST_F(ConnectionTest, NothingWaitingIsNothing) {
  EXPECT_FALSE(connection_->receive().value().has_value());
  ASSERT_TRUE(kernel::send_datagram(peer_.get(), "hi", {}, 0).has_value());
  EXPECT_EQ(connection_->receive().value().value(), "hi");
  peer_.reset();
  EXPECT_EQ(connection_->receive().error().kind, Kind::unavailable);
}

TEST_F(ConnectionTest, RefusesDatagramsOverTheLimitAndDescriptors) {
  ASSERT_TRUE(kernel::send_datagram(peer_.get(), std::string(kMaxMessage + 1, 'x'), {}, 0).has_value());
  EXPECT_EQ(connection_->receive().error().kind, Kind::invalid);
  int fd = 0;
  ASSERT_TRUE(kernel::send_datagram(peer_.get(), "x", std::span(&fd, 1), 0).has_value());
  EXPECT_EQ(connection_->receive().error().kind, Kind::invalid);
  EXPECT_EQ(connection_->send(std::string(kMaxMessage + 1, 'x'), {}).error().kind, Kind::internal);
}

TEST_F(ConnectionTest, QueuesForASlowPeerInOrderAndUpToALimit) {
  std::string large(kMaxMessage, 'x');
  size_t sent = 0;
  Result<> result;
  while (result && sent < 100'000) {
    large.replace(0, 8, std::to_string(10'000'000 + sent));
    result = connection_->send(large, {});
    sent += result ? 1U : 0U;
  }
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, Kind::exhausted);
  EXPECT_GE(sent, kMaxQueued);
  for (size_t i = 0; i < sent; ++i) {
    auto datagram = kernel::receive_datagram(peer_.get(), kMaxMessage, 0, MSG_DONTWAIT);
    ASSERT_TRUE(datagram.has_value()) << i;
    EXPECT_EQ(datagram->bytes.substr(0, 8), std::to_string(10'000'000 + i));
    ASSERT_TRUE(connection_->flush().has_value());
  }
  EXPECT_FALSE(connection_->has_queued());
}

TEST_F(ConnectionTest, QueuesDescriptorsUpToALimit) {
  const auto open_descriptors = [] {
    const auto folder = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(folder), end(folder)));
  };
  const auto before = open_descriptors();
  const std::array<int, 4> fds{};
  const std::string large(kMaxMessage, 'x');
  size_t sent = 0;
  for (; sent < 10'000 && connection_->send(large, fds); ++sent) {
  }
  EXPECT_EQ(connection_->send(large, fds).error().kind, Kind::exhausted);
  EXPECT_EQ(open_descriptors(), before + kMaxQueuedFds);
  for (; sent > 0; --sent) {
    auto datagram = kernel::receive_datagram(peer_.get(), kMaxMessage, fds.size(), MSG_DONTWAIT);
    ASSERT_TRUE(datagram.has_value());
    EXPECT_EQ(datagram->fds.size(), fds.size());
    ASSERT_TRUE(connection_->flush().has_value());
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_TRUE(connection_->send("x", fds).has_value());
}

}  // namespace
}  // namespace hearth::warden
