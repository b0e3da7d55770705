#include "runtime/function.h"

#include <gtest/gtest.h>

namespace hearth::runtime {
namespace {

// Every member differs from its default, so that one forgotten by the codec shows.
Function full() {
  Function f;
  f.key = {AccountId("123456789012"), "hello"};
  f.id = "id";
  f.region = "eu-west-1";
  f.version = "7";
  f.runtime = "python3.11";
  f.role = "arn:aws:iam::123456789012:role/r";
  f.handler = "app.handler";
  f.description = "says \"h\xc3\xa9llo\"";
  f.timeout_seconds = 900;
  f.memory_mib = 10240;
  f.tmp_mib = 1024;
  f.environment = {{"Z", "1"}, {"A", ""}};
  f.architectures = {"arm64"};
  f.tracing_mode = "Active";
  f.log_group = "/mine";
  f.vpc = VpcAttachment{VpcId("vpc-1"), {SubnetId("subnet-1"), SubnetId("subnet-2")}, {GroupId("sg-1")}};
  f.package = PackageDigest(std::string(64, 'a'));
  f.code_size = 4711;
  f.code_sha256 = "c2hh";
  f.state = "Active";
  f.state_reason = "r1";
  f.state_reason_code = "c1";
  f.last_update_status = "Successful";
  f.last_update_reason = "r2";
  f.last_update_reason_code = "c2";
  f.revision_id = "rev";
  f.last_modified = WallTime(std::chrono::milliseconds(1'700'000'000'123));
  f.tags = {{"team", "a"}};
  f.reserved_concurrency = 0;
  return f;
}

TEST(Function, TheRegistrysFormKeepsEveryMember) {
  Function before = full();
  Function after = decode_function(encode(before)).value();
  EXPECT_EQ(json::serialize(encode(after)), json::serialize(encode(before)));
  EXPECT_EQ(after.key, before.key);
  EXPECT_EQ(after.environment, before.environment) << "in the client's order";
  EXPECT_EQ(after.vpc->subnets, before.vpc->subnets);
  EXPECT_EQ(after.vpc->groups, before.vpc->groups);
  EXPECT_EQ(after.last_modified, before.last_modified);
  EXPECT_EQ(after.reserved_concurrency, 0);
  EXPECT_EQ(after.tags, before.tags);
}

TEST(Function, AbsentPartsStayAbsent) {
  Function after = decode_function(encode(Function())).value();
  EXPECT_FALSE(after.vpc);
  EXPECT_FALSE(after.reserved_concurrency);
  EXPECT_TRUE(after.environment.empty());
}

TEST(Function, ARecordOfAnotherShapeNamesTheField) {
  json::object record = encode(full());
  record["surprise"] = 1;
  EXPECT_EQ(decode_function(record).error().message, "function.surprise is not known");
  record = encode(full());
  record.erase("handler");
  EXPECT_EQ(decode_function(record).error().message, "function.handler is missing");
  record = encode(full());
  record["environment"] = json::array{json::array{"only a name"}};
  EXPECT_EQ(decode_function(record).error().message, "function.environment must hold pairs of strings");
  record = encode(full());
  record["vpc"].as_object()["subnets"] = "subnet-1";
  EXPECT_EQ(decode_function(record).error().message, "function.vpc.subnets must be an array");
}

TEST(Function, NamesAreAwss) {
  EXPECT_EQ(full().arn(), "arn:aws:lambda:eu-west-1:123456789012:function:hello");
  EXPECT_EQ(full().log_group_name(), "/mine");
  Function plain = full();
  plain.log_group.clear();
  EXPECT_EQ(plain.log_group_name(), "/aws/lambda/hello");
}

}  // namespace
}  // namespace hearth::runtime
