// What hearthd may not do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "kernel/unix_socket.h"
#include "warden/root_test/fixture.h"

namespace hearth::warden {
namespace {

TEST_F(WardenRoot, RefusesConnectionsOfOtherUsers) {
  client_.reset();
  kill(warden_, SIGTERM);
  waitpid(warden_, nullptr, 0);
  start_warden(12345);
  Client stranger(run_dir_ + "/warden.sock");
  EXPECT_TRUE(stranger.closed());
}

TEST_F(WardenRoot, ClosesWhoDoesNotSayHelloFirst) {
  Client silent(run_dir_ + "/warden.sock");
  silent.send(ListContainers{});
  EXPECT_TRUE(silent.closed());
  Client old(run_dir_ + "/warden.sock");
  old.send(Hello{99});
  EXPECT_TRUE(old.closed());
}

TEST_F(WardenRoot, AnswersBadRequestsAndGoesOn) {
  ASSERT_TRUE(kernel::send_datagram(client_->fd(), R"({"id":77,"op":"bind","container":"../x"})", {}, 0).has_value());
  EXPECT_EQ(client_->wait_for(77).frame.reply.error().kind, Kind::invalid);
  EXPECT_EQ(client_->call_error(MakeContainer{"cobol"}).message, "Runtime cobol is not installed here");
  EXPECT_EQ(client_->call_error(Kill{ContainerId("c0123456789abcdef")}).kind, Kind::not_found);
  auto attached = client_->call_for<AttachmentReply>(
      EnsureAttachment{GatewayId("gw-0"), "subnet-1", VpcId("vpc-1"), SubnetId("subnet-1"), "10.0.0.5"});
  EXPECT_EQ(attached.tag, 7);
  EXPECT_EQ(client_->call_error(EnsureOutside{GatewayId("gw-0")}).kind, Kind::unavailable);
}

TEST_F(WardenRoot, HasALimitOfRequestsUnderWay) {
  const EnsureAttachment endless{GatewayId("gw-0"), "never", VpcId("vpc-1"), SubnetId("subnet-1"), "10.0.0.5"};
  for (size_t i = 0; i < kMaxOutstanding; ++i) client_->send(endless);
  EXPECT_EQ(client_->call_error(endless).kind, Kind::exhausted);
  EXPECT_EQ(client_->call_error(ListContainers{}).kind, Kind::exhausted);
  connect();
  EXPECT_TRUE(client_->call(ListContainers{}).frame.reply.has_value());
}

TEST_F(WardenRoot, AReplyThatIsTooLongIsAnErrorAndNotTheEnd) {
  EXPECT_EQ(client_->call_error(GatewayStats{GatewayId("gw-0"), {"endless"}}).kind, Kind::internal);
  auto stats = client_->call_for<GatewayStatsReply>(GatewayStats{GatewayId("gw-0"), {"subnet-1"}});
  EXPECT_TRUE(stats.counters.contains("subnet-1"));
}

TEST_F(WardenRoot, HandsOnWhatHappenedToPortBlocks) {
  auto blocks = client_->call_for<TakeBlocksReply>(TakeBlocks{GatewayId("gw-0"), 5, 7});
  EXPECT_EQ(blocks.epoch, 5);
  EXPECT_EQ(blocks.serial, 8);
  ASSERT_EQ(blocks.changes.size(), 1u);
  EXPECT_EQ(blocks.changes[0].what, "given");
  EXPECT_EQ(blocks.changes[0].container, "100.64.0.1");
}

TEST_F(WardenRoot, HasALimitOfContainers) {
  std::vector<int64_t> ids;
  for (int i = 0; i < 65; ++i) ids.push_back(client_->send(MakeContainer{"python3.11"}));
  size_t made = 0;
  for (int64_t id : ids) {
    Answer answer = client_->wait_for(id);
    if (answer.frame.reply) ++made;
    if (!answer.frame.reply) EXPECT_EQ(answer.frame.reply.error().kind, Kind::exhausted);
  }
  EXPECT_EQ(made, 64U);
}

}  // namespace
}  // namespace hearth::warden
