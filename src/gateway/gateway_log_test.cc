#include "gateway/gateway_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace hearth::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GatewayLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    open();
    // As the driver gives it to a gateway.
    gateway_ = Fd(::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(gateway_.valid());
  }
  void TearDown() override { unlink(path_.c_str()); }

  void open() {
    auto opened = GatewayLog::open(path_, [this](std::string_view line) { lines_.emplace_back(line); });
    ASSERT_TRUE(opened) << opened.error().describe();
    log_.emplace(*std::move(opened));
  }
  bool say(const std::string& text) {
    return write(gateway_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  std::vector<std::string> heard(std::chrono::milliseconds after = {}) {
    for (int i = 0; i < 64; ++i) log_->read(start_ + after);
    return std::exchange(lines_, {});
  }

  std::string path_ = ::testing::TempDir() + "hearth_gateway_log_" + std::to_string(getpid());
  std::vector<std::string> lines_;
  std::optional<GatewayLog> log_;
  Fd gateway_;
  GatewayLog::Time start_ = std::chrono::steady_clock::now();
};

TEST_F(GatewayLogTest, PassesOnWholeLines) {
  ASSERT_TRUE(say("one\ntwo\nthr"));
  EXPECT_THAT(heard(), ElementsAre("one", "two"));
  ASSERT_TRUE(say("ee\x1b[1m\n"));
  EXPECT_THAT(heard(), ElementsAre("three [1m"));
}

TEST_F(GatewayLogTest, CutsLongLines) {
  ASSERT_TRUE(say(std::string(3 * GatewayLog::kMaxLine, 'x') + "\nnext\n"));
  EXPECT_THAT(heard(), ElementsAre(std::string(GatewayLog::kMaxLine, 'x'), "next"));
}

TEST_F(GatewayLogTest, LeavesOutWhatIsTooMuchAndSaysHowMuch) {
  for (int i = 0; i < GatewayLog::kMaxLinesEachSecond + 7; ++i) ASSERT_TRUE(say("line\n"));
  EXPECT_EQ(heard().size(), size_t{GatewayLog::kMaxLinesEachSecond});
  ASSERT_TRUE(say("later\n"));
  EXPECT_THAT(heard(std::chrono::seconds(1)), ElementsAre("7 lines were left out", "later"));
}

TEST_F(GatewayLogTest, TheWriterNeverWaitsAndTheNextReaderReadsOn) {
  ASSERT_TRUE(say("while there is no reader\n"));
  log_.reset();
  size_t said = 0;
  while (say("again\n")) ++said;
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GT(said, 1000u);
  open();
  EXPECT_EQ(heard().front(), "while there is no reader");
  EXPECT_TRUE(say("there is room once more\n"));
}

TEST_F(GatewayLogTest, SilenceIsNoEnd) {
  gateway_.reset();
  EXPECT_THAT(heard(), IsEmpty());
  gateway_ = Fd(::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(say("here again\n"));
  EXPECT_THAT(heard(), ElementsAre("here again"));
}

}  // namespace
}  // namespace hearth::gateway
