#include "gateway/block_names.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "gateway/programs.h"

namespace hearth::gateway {
namespace {

const WallTime kNow{std::chrono::milliseconds(1'764'000'000'000)};

attachment_record record_of(uint16_t tag, const std::string& vpc) {
  attachment_record record{};
  record.tag = tag;
  record.vpc = as_name(vpc);
  return record;
}

ControlReply reply_of(std::initializer_list<BlockChange> changes) {
  ControlReply reply;
  reply.epoch = 3;
  reply.serial = 9;
  for (const auto& each : changes) reply.changes[reply.change_count++] = each;
  return reply;
}

BlockChange given(uint32_t tag) {
  return {.kind = BlockChange::kGiven,
          .age_ms = 1500,
          .tag = tag,
          .external = htonl(0x0a000004),
          .container = htonl(0x64400100),
          .first_port = 1024,
          .count = 64};
}

TEST(BlockNames, TagsBecomeAttachmentsAndAgesBecomeTimes) {
  BlockNames names;
  const auto told = names.named(reply_of({given(7)}), {{"subnet-1", record_of(7, "vpc-1")}}, kNow);
  EXPECT_EQ(told.epoch, 3u);
  EXPECT_EQ(told.serial, 9u);
  ASSERT_EQ(told.changes.size(), 1u);
  const auto& change = told.changes[0];
  EXPECT_EQ(change.what, "given");
  EXPECT_EQ(change.attachment, "subnet-1");
  EXPECT_EQ(change.vpc, "vpc-1");
  EXPECT_EQ(change.external, "10.0.0.4");
  EXPECT_EQ(change.container, "100.64.1.0");
  EXPECT_EQ(change.at, kNow - std::chrono::milliseconds(1500));
  EXPECT_EQ(change.first_port, 1024u);
  EXPECT_EQ(change.count, 64u);
}

TEST(BlockNames, WhatIsToldOfADeletedAttachmentIsNotItsSuccessors) {
  BlockNames names;
  names.deleted("subnet-1", record_of(7, "vpc-1"));
  const BlockNames::Attachments now = {{"subnet-2", record_of(7, "vpc-2")}};
  EXPECT_EQ(names.named(reply_of({given(7)}), now, kNow).changes[0].vpc, "vpc-1");
  const BlockChange cleared{.kind = BlockChange::kCleared, .tag = 7};
  const auto told = names.named(reply_of({given(7), cleared, given(7)}), now, kNow).changes;
  EXPECT_EQ(told[0].attachment, "subnet-1");
  EXPECT_EQ(told[1].attachment, "subnet-1");
  EXPECT_EQ(told[2].attachment, "subnet-2");
  EXPECT_EQ(names.named(reply_of({given(7)}), now, kNow).changes[0].vpc, "vpc-2");
}

TEST(BlockNames, WhoeverIsNotKnownHasNoName) {
  BlockNames names;
  EXPECT_EQ(names.named(reply_of({given(7)}), {}, kNow).changes[0].attachment, "");
}

}  // namespace
}  // namespace hearth::gateway
