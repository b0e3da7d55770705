// What functions write, and what is written about them.
#include "runtime/logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <fstream>

#include "runtime/instance_log.h"
#include "runtime/invoker_fixture_test.h"
#include "runtime/log_files.h"

namespace hearth::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::HasSubstr;

class LogsTest : public InvokerFixture {
 protected:
  LogsTest() { start(); }
  static std::string text_of(const std::vector<LogLine>& lines) {
    std::string all;
    for (const auto& line : lines) all += line.text + "\n";
    return all;
  }
};

TEST_F(LogsTest, TheTailHoldsTheInvocationsLinesBetweenStartAndReport) {
  const auto key = add("print");
  const auto tail = [](Invocation& invocation) { invocation.log_tail = true; };
  const auto got = invoke(key, "{}", tail);
  EXPECT_THAT(got.log_tail,
              ContainsRegex("^START RequestId: " + got.request_id + " Version: .LATEST\none\ntwo\nEND RequestId: " +
                            got.request_id + "\nREPORT RequestId: " + got.request_id +
                            "\tDuration: [0-9]+\\.[0-9][0-9] ms\tBilled Duration: [0-9]+ ms\tMemory Size: "
                            "128 MB\tMax Memory Used: 30 MB\tInit Duration: [0-9.]+ ms\t\n$"));
  const auto warm = invoke(key, "{}", tail);
  EXPECT_THAT(warm.log_tail, HasSubstr("one\ntwo\nEND RequestId: " + warm.request_id));
  EXPECT_THAT(warm.log_tail, testing::Not(HasSubstr("Init Duration")));
  EXPECT_THAT(warm.log_tail, testing::Not(HasSubstr(got.request_id)));
}

TEST_F(LogsTest, ALineWithoutItsNewlineIsOfTheInvocationThatWroteIt) {
  const auto key = add("print_unended");
  const auto tail = [](Invocation& invocation) { invocation.log_tail = true; };
  for (int i = 0; i < 2; ++i) {
    const auto got = invoke(key, "{}", tail);
    EXPECT_THAT(got.log_tail, HasSubstr("\none\ntwo\nEND RequestId: " + got.request_id));
  }
}

TEST_F(LogsTest, LinesAreInTheFunctionsFileWithTheirRequestId) {
  const auto key = add("print");
  const auto first = invoke(key);
  const auto second = invoke(key);
  const auto lines = log_of(key);
  ASSERT_EQ(lines.size(), 10u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(lines[i].request_id, first.request_id) << i;
  for (size_t i = 5; i < 10; ++i) EXPECT_EQ(lines[i].request_id, second.request_id) << i;
  EXPECT_EQ(lines[0].stream, "platform");
  EXPECT_EQ(lines[1].stream, "function");
  EXPECT_EQ(lines[1].text, "one");
  EXPECT_EQ(lines[1].at.size(), 24u);
}

TEST_F(LogsTest, ATimeoutAndACrashAreInTheLog) {
  const auto slow = add("silent", [](Function& f) { f.timeout_seconds = 1; });
  const auto got = invoke(slow, "{}", [](Invocation& invocation) { invocation.log_tail = true; });
  EXPECT_THAT(got.log_tail, HasSubstr(got.request_id + " Task timed out after 1.00 seconds\nEND RequestId: "));
  EXPECT_THAT(got.log_tail, HasSubstr("\tStatus: timeout\t\n"));
  const auto crash = add("crash");
  invoke(crash);
  EXPECT_THAT(text_of(log_of(crash)), HasSubstr("Error: Runtime exited with error: exit status 127\nEND"));
}

TEST_F(LogsTest, AFloodIsCutOffAndCounted) {
  const auto key = add("flood", [](Function& f) { f.timeout_seconds = 30; });
  const auto got = invoke(key, "{}", [](Invocation& invocation) { invocation.log_tail = true; });
  EXPECT_EQ(got.function_error, "");
  EXPECT_LE(got.log_tail.size(), InstanceLog::kTail);
  EXPECT_THAT(got.log_tail, HasSubstr("REPORT"));
  const auto text = text_of(log_of(key));
  EXPECT_LT(text.size(), 4 * InstanceLog::kMaxRate);
  EXPECT_THAT(text, ContainsRegex("[0-9]+ lines were dropped: more than 1048576 bytes in a second"));
}

TEST_F(LogsTest, FollowersSeeEveryLineUntilTheyLeave) {
  const auto key = add("print");
  std::vector<std::string> seen;
  const auto follower = logs->follow(key, [&](const LogLine& line) { seen.push_back(line.text); });
  ASSERT_TRUE(follower);
  invoke(key);
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_EQ(seen[1], "one");
  logs->unfollow(*follower);
  invoke(key);
  EXPECT_EQ(seen.size(), 5u);
}

TEST_F(LogsTest, ASinkLivesAsLongAsItIsUsed) {
  const FunctionKey key{AccountId("000000000000"), "name"};
  auto sink = logs->sink(key).value();
  EXPECT_EQ(logs->sink(key).value(), sink);
  sink->write("id", "function", "kept");
  EXPECT_EQ(logs->sinks(), 1u);
  sink.reset();
  run_until([&] { return logs->sinks() == 0; });  // its line is on the disk
  EXPECT_EQ(text_of(log_of(key)), "kept\n");
  const auto follower = logs->follow(key, [](const LogLine&) {}).value();
  EXPECT_EQ(logs->sinks(), 1u);
  logs->unfollow(follower);
  EXPECT_EQ(logs->sinks(), 0u);
}

TEST_F(LogsTest, NamesThatWouldLeaveTheFolderAreRefused) {
  EXPECT_FALSE(logs->sink({AccountId("000000000000"), "../x"}));
  EXPECT_FALSE(logs->sink({AccountId("../../etc"), "x"}));
  EXPECT_FALSE(logs->sink({AccountId("000000000000"), ""}));
}

TEST_F(LogsTest, WhatTheDiskCantTakeInTimeIsDroppedAndCounted) {
  Logs small(loop.get_executor(), blocking, clock, Logs::Options{.dir = dir, .max_pending = 100, .flush = 1h});
  auto sink = small.sink({AccountId("000000000000"), "name"});
  ASSERT_TRUE(sink);
  for (int i = 0; i < 10; ++i) (*sink)->write("id", "function", std::string(30, 'x'));
  EXPECT_GT(small.dropped(), 0u);
  EXPECT_LT(small.dropped(), 10u);
  std::optional<bool> stopped;
  boost::asio::co_spawn(loop, small.stop(), [&](std::exception_ptr) { stopped = true; });
  run_until([&] { return stopped.has_value(); });
}

TEST(LogFiles, OfDeletedFunctionsTheNewestStay) {
  char name[] = "/tmp/hearth-logs-XXXXXX";
  const std::string dir = ::mkdtemp(name);
  const auto now = std::filesystem::file_time_type::clock::now();
  auto put = [&](const std::string& file, int age) {
    std::ofstream(dir + "/" + file) << "x\n";
    std::filesystem::last_write_time(dir + "/" + file, now - std::chrono::hours(age));
  };
  put("living.log", 9);
  put("living.log.1", 10);
  put("old.log", 7);
  put("old.log.1", 8);
  put("middle.log", 5);
  put("new.log", 1);
  put("new.log.1", 9);
  ASSERT_TRUE(trim_logs(dir, {"living"}, 2));
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) left.insert(entry.path().filename());
  EXPECT_EQ(left, (std::set<std::string>{"living.log", "living.log.1", "middle.log", "new.log", "new.log.1"}));
  EXPECT_TRUE(trim_logs(dir + "/none", {}, 2));
  std::filesystem::remove_all(dir);
}

TEST(LogFiles, AFileThatGrewMovesAsideOnce) {
  char name[] = "/tmp/hearth-logs-XXXXXX";
  const std::string dir = ::mkdtemp(name);
  const auto path = dir + "/account/f.log";
  for (int i = 0; i < 30; ++i) {
    std::string line;
    append_stored(line, "2026-01-31T12:00:00.123Z", "", "function", "line " + std::to_string(i));
    ASSERT_TRUE(append_log(path, line, 500));
  }
  EXPECT_LE(std::filesystem::file_size(path), 500u);
  EXPECT_LE(std::filesystem::file_size(path + ".1"), 500u);
  auto tail = read_log_tail(path, 12, 1 << 20);
  ASSERT_TRUE(tail);
  ASSERT_EQ(tail->size(), 12u);  // across both files
  EXPECT_EQ(tail->back().text, "line 29");
  EXPECT_EQ(tail->front().text, "line 18");
  std::ofstream(path, std::ios::app) << "cut short by a cra";
  tail = read_log_tail(path, 1, 1 << 20);
  ASSERT_TRUE(tail);
  EXPECT_EQ(tail->at(0).text, "line 29");
  EXPECT_TRUE(read_log_tail(dir + "/none", 5, 100)->empty());
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace hearth::runtime
