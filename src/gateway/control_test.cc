#include "gateway/control.h"

#include <gtest/gtest.h>

namespace hearth::gateway {
namespace {

ControlRequest attach_request() {
  ControlRequest request{.op = ControlOp::set_attachment, .at = {}};
  request.tag = 7;
  request.at.state = kAttachmentActive;
  request.at.mtu = 1500;
  return request;
}

TEST(Control, RequestsComeBackAsTheyWere) {
  ControlRequest request = attach_request();
  request.sequence = 9;
  request.address = 5;
  const auto read = decode_control_request(encode(request));
  ASSERT_TRUE(read);
  EXPECT_EQ(encode(*read), encode(request));
}

TEST(Control, WhatIsNotOfThisPageIsRefused) {
  const auto refused = [](auto change) {
    ControlRequest request = attach_request();
    change(request);
    return !decode_control_request(encode(request));
  };
  EXPECT_TRUE(refused([](ControlRequest& r) { r.version = kControlVersion + 1; }));
  EXPECT_TRUE(refused([](ControlRequest& r) { r.op = static_cast<ControlOp>(0); }));
  EXPECT_TRUE(refused([](ControlRequest& r) { r.op = static_cast<ControlOp>(99); }));
  EXPECT_TRUE(refused([](ControlRequest& r) { r.tag = 0; }));
  EXPECT_TRUE(refused([](ControlRequest& r) { r.tag = kMaxTag + 1; }));
  EXPECT_TRUE(refused([](ControlRequest& r) { r.at.state = 3; }));
  EXPECT_TRUE(refused([](ControlRequest& r) { r.at.mtu = 500; }));
  EXPECT_FALSE(refused([](ControlRequest&) {}));
  EXPECT_FALSE(decode_control_request(""));
  EXPECT_FALSE(decode_control_request(encode(attach_request()) + "x"));
}

TEST(Control, AnErrorArrivesWithItsKindAndText) {
  const auto reply = decode_control_reply(encode(failed_reply(3, Error{Kind::exhausted, std::string(1000, 'x')})));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->sequence, 3u);
  const auto result = outcome(*reply);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::exhausted);
  EXPECT_LT(result.error().message.size(), 2 * kMaxControlText);
}

TEST(Control, ChangesOfPortBlocksOfAWrongShapeAreRefused) {
  const auto refused = [](auto change) {
    ControlReply reply;
    reply.change_count = kMaxChangesEach;
    for (auto& each : reply.changes) each = {.kind = BlockChange::kGiven, .tag = 1, .first_port = 65472, .count = 64};
    change(reply);
    return !decode_control_reply(encode(reply));
  };
  EXPECT_FALSE(refused([](ControlReply&) {}));
  EXPECT_TRUE(refused([](ControlReply& r) { ++r.change_count; }));
  EXPECT_TRUE(refused([](ControlReply& r) { r.changes[15].kind = 0; }));
  EXPECT_TRUE(refused([](ControlReply& r) { r.changes[15].kind = BlockChange::kResumed + 1; }));
  EXPECT_TRUE(refused([](ControlReply& r) { r.changes[15].tag = kMaxTag + 1; }));
  EXPECT_TRUE(refused([](ControlReply& r) { r.changes[15].first_port = 65473; }));
  EXPECT_TRUE(refused([](ControlReply& r) { r.changes[15].first_port = UINT32_MAX; }));
  EXPECT_TRUE(refused([](ControlReply& r) { r.changes[15].count = 0; }));
  EXPECT_TRUE(refused([](ControlReply& r) { r.changes[15].count = UINT32_MAX; }));
  EXPECT_FALSE(refused([](ControlReply& r) { r.changes[15] = {.kind = BlockChange::kBegun, .count = UINT32_MAX}; }));
}

TEST(Control, AReplyWithoutAnEndOfTextIsCut) {
  ControlReply reply;
  std::fill_n(reply.text, kMaxControlText, 'x');
  EXPECT_EQ(std::string(decode_control_reply(encode(reply))->text).size(), kMaxControlText - 1);
}

}  // namespace
}  // namespace hearth::gateway
