#include "gateway/supervised_gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "kernel/unix_socket.h"

namespace hearth::gateway {
namespace {

using std::chrono::steady_clock;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

// Gateways that are sockets of the test's, with what polls like a pidfd.
struct Gateways {
  std::filesystem::path log;
  int started = 0;
  bool die_at_birth = false;
  bool refuse = false;
  Fd end;  // of the last one
  Fd process;

  Result<RunningGateway> start() {
    if (refuse) return fail(Kind::unavailable, "no machine");
    ++started;
    TRY_ASSIGN(auto pair, kernel::seqpacket_pair());
    end = std::move(pair.second);
    process = Fd(eventfd(0, EFD_CLOEXEC));
    RunningGateway running;
    running.control = std::move(pair.first);
    running.pidfd = Fd(dup(process.get()));
    if (die_at_birth) die();
    // The answer to what open() asks.
    if (started == 1) TRY(answer(1));
    return running;
  }
  void die() {
    end.reset();
    EXPECT_EQ(eventfd_write(process.get(), 1), 0);
  }
  Result<> answer(uint32_t sequence) const {
    ControlReply reply;
    reply.sequence = sequence;
    return kernel::send_datagram(end.get(), encode(reply), {}, MSG_DONTWAIT);
  }
  // The requests that have arrived.
  std::vector<ControlRequest> read() const {
    std::vector<ControlRequest> requests;
    for (;;) {
      auto datagram = kernel::receive_datagram(end.get(), sizeof(ControlRequest), 0, MSG_DONTWAIT);
      if (!datagram || datagram->bytes.empty()) return requests;
      requests.push_back(decode_control_request(datagram->bytes).value());
    }
  }
};

class FakeDriver final : public Driver {
 public:
  explicit FakeDriver(Gateways& gateways) : gateways_(&gateways) {}
  std::string_view name() const override { return "fake"; }
  bool shares_kernel() const override { return true; }
  bool boots() const override { return false; }
  Result<> prepare(const GatewayPlace&) override { return {}; }
  Result<Fd> port_netns(const GatewayPlace&) override { return fail(Kind::unavailable, "none"); }
  std::string log_path(const GatewayPlace&) override { return gateways_->log; }
  Result<std::optional<RunningGateway>> find(const GatewayPlace&) override { return std::nullopt; }
  Result<RunningGateway> start(const GatewayPlace&) override { return gateways_->start(); }

 private:
  Gateways* gateways_;
};

class SupervisedGatewayTest : public testing::Test {
 protected:
  void SetUp() override { open(SupervisedGateway::kBirthMs); }
  void open(int birth_ms) {
    std::string directory = testing::TempDir() + "/hearth-XXXXXX";
    ASSERT_NE(mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    gateways_.log = directory_ / "log";
    auto opened = SupervisedGateway::open(
        {GatewayId("gw"), 0}, std::make_unique<FakeDriver>(gateways_),
        [this](std::string_view line) { said_.emplace_back(line); }, birth_ms);
    ASSERT_TRUE(opened) << opened.error().describe();
    gateway_ = std::move(*opened);
    ASSERT_FALSE(gateways_.read().empty());  // greetings
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void wait_for_deadline() {
    const auto deadline = gateway_->next_deadline();
    ASSERT_TRUE(deadline);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - steady_clock::now());
    poll(nullptr, 0, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    gateway_->dispatch();
  }

  std::filesystem::path directory_;
  Gateways gateways_;
  std::vector<std::string> said_;
  std::unique_ptr<SupervisedGateway> gateway_;
};

TEST_F(SupervisedGatewayTest, SaysThousandsOfThingsAWindowAtATimeAlsoToTheNextOne) {
  constexpr uint32_t kMany = 3000;
  attachment at{};
  at.state = kAttachmentActive;
  at.mtu = 1500;
  size_t answered = 0;
  const auto count = [&answered](Result<ControlReply> reply) { answered += reply.has_value() ? 1u : 0u; };
  for (uint32_t tag = 1; tag <= kMany; ++tag) gateway_->set_attachment(tag, at, count);
  EXPECT_LE(gateways_.read().size(), SupervisedGateway::kWindow);
  gateways_.die();
  gateway_->dispatch();
  wait_for_deadline();
  ASSERT_EQ(gateways_.started, 2);

  std::map<uint32_t, int> told;
  bool hello = false;
  for (auto requests = gateways_.read(); !requests.empty(); requests = gateways_.read()) {
    EXPECT_LE(requests.size(), SupervisedGateway::kWindow);
    for (const auto& request : requests) {
      ++told[request.tag];
      hello = hello || request.op == ControlOp::hello;
      ASSERT_TRUE(gateways_.answer(request.sequence));
    }
    gateway_->dispatch();
  }
  EXPECT_TRUE(hello);
  EXPECT_EQ(answered, kMany);
  EXPECT_EQ(told.size(), kMany + 1);  // with the hello's
}

TEST_F(SupervisedGatewayTest, OneThatReadsNothingHoldsUpNobody) {
  std::vector<Kind> ends;
  const auto note = [&ends](Result<ControlReply> reply) {
    ends.push_back(reply ? Kind::internal : reply.error().kind);
  };
  for (int i = 0; i < 1000; ++i) gateway_->send({.op = ControlOp::stats, .at = {}}, note, 1);
  // A deadline each, as each was sent.
  for (int i = 0; i < 1000 && ends.size() < 1000; ++i) wait_for_deadline();
  EXPECT_EQ(ends, std::vector<Kind>(1000, Kind::timeout));
  // Then it wakes: what nobody waits for any more is not said.
  size_t said = 0;
  for (auto requests = gateways_.read(); !requests.empty(); requests = gateways_.read()) {
    for (const auto& request : requests) ASSERT_TRUE(gateways_.answer(request.sequence));
    said += requests.size();
    gateway_->dispatch();
  }
  EXPECT_LE(said, SupervisedGateway::kWindow);
}

TEST_F(SupervisedGatewayTest, OneThatDiesBeforeItsFirstAnswerIsStartedEverMoreSlowly) {
  gateways_.die_at_birth = true;
  gateways_.die();
  std::vector<int64_t> waits;
  for (int i = 0; i < 4; ++i) {
    gateway_->dispatch();
    EXPECT_EQ(gateways_.started, 1 + i);
    const auto deadline = gateway_->next_deadline();
    ASSERT_TRUE(deadline);
    waits.push_back(std::chrono::ceil<std::chrono::milliseconds>(*deadline - steady_clock::now()).count());
    wait_for_deadline();
  }
  EXPECT_GT(waits[0], 0);
  for (size_t i = 1; i < waits.size(); ++i) EXPECT_GT(waits[i], waits[i - 1]);
}

TEST_F(SupervisedGatewayTest, OneThatNeverAnswersIsEndedAndStartedAgain) {
  gateways_.started = 0;
  open(1);
  gateways_.die();
  gateway_->dispatch();
  wait_for_deadline();
  ASSERT_EQ(gateways_.started, 2);
  wait_for_deadline();
  EXPECT_THAT(said_, Contains(HasSubstr("has not answered")));
  wait_for_deadline();
  EXPECT_EQ(gateways_.started, 3);
}

TEST_F(SupervisedGatewayTest, WhyOneCantBeStartedIsSaidOnce) {
  gateways_.refuse = true;
  gateways_.die();
  gateway_->dispatch();
  for (int i = 0; i < 3; ++i) wait_for_deadline();
  EXPECT_THAT(said_, ElementsAre(HasSubstr("no machine")));
  gateways_.refuse = false;
  wait_for_deadline();
  EXPECT_EQ(gateways_.started, 2);
}

}  // namespace
}  // namespace hearth::gateway
