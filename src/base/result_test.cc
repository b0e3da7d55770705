#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/clock.h"
#include "base/ids.h"

namespace hearth {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Kind::invalid, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  TRY_ASSIGN(int once, half(value));
  TRY(half(once));
  return *half(once);
}

TEST(Result, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
}

TEST(Result, ErrnoChoosesTheKind) {
  EXPECT_EQ(fail_errno("open", ENOENT).error().kind, Kind::not_found);
  EXPECT_EQ(fail_errno("open", EMFILE).error().kind, Kind::exhausted);
  EXPECT_NE(fail_errno("open /x", EACCES).error().describe().find("open /x: Permission denied (base/result_test.cc:"),
            std::string::npos);
}

TEST(Result, AnErrorFromElsewhereHasNoPlaceHere) {
  EXPECT_EQ((Error{Kind::internal, "make veth s1", 0, {}}).describe(), "make veth s1");
  EXPECT_EQ(fail_errno("make veth s1", EOPNOTSUPP).error().with_reason(), "make veth s1: Operation not supported");
}

TEST(Result, KindNamesGoRoundTrip) {
  for (auto kind : {Kind::invalid, Kind::conflict, Kind::internal}) EXPECT_EQ(kind_named(to_string(kind)), kind);
  EXPECT_EQ(kind_named("no such word"), Kind::internal);
}

TEST(Clock, WritesTimesAsAwsDoes) {
  WallTime time{std::chrono::milliseconds(1700000000007)};
  EXPECT_EQ(lambda_timestamp(time), "2023-11-14T22:13:20.007+0000");
  EXPECT_EQ(iso_timestamp(time), "2023-11-14T22:13:20.007Z");
}

TEST(Ids, RandomOnesHaveTheirShape) {
  EXPECT_EQ(random_hex(17).size(), 17u);
  auto uuid = random_uuid();
  EXPECT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_EQ(uuid[8], '-');
  EXPECT_EQ(uuid[23], '-');
}

}  // namespace
}  // namespace hearth
