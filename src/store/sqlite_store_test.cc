#include "store/sqlite_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "store/commit_thread.h"
#include "store/faulty_disk_test.h"
#include "store/sqlite.h"
#include "store/store_under_test.h"

namespace hearth::store {
namespace {

class SqliteStoreTest : public testing::Test {
 protected:
  Result<std::unique_ptr<SqliteStore>> open(const std::string& vfs = "") {
    return SqliteStore::open(loop_.get_executor(), path_, clock_, {.vfs = vfs});
  }
  Result<int64_t> put(SqliteStore& store, const std::string& key, const std::string& value) {
    return run(loop_, store.registry().put(key, value, std::nullopt));
  }

  void poll() {
    loop_.restart();
    loop_.poll();
  }

  TestFolder folder_;
  std::string path_ = folder_.file("hearth.db");
  boost::asio::io_context loop_;
  TestClock clock_;
};

TEST_F(SqliteStoreTest, ItsFilesAreThePrivateOnesOfItsOwner) {
  ::close(::open(path_.c_str(), O_CREAT | O_RDWR, 0666));
  ::chmod(path_.c_str(), 0666);
  auto store = open().value();
  put(*store, "a", "x").value();
  for (const std::string& file : {path_, path_ + "-wal"}) {
    struct stat status{};
    ASSERT_EQ(::stat(file.c_str(), &status), 0) << file;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << file;
  }
}

TEST_F(SqliteStoreTest, IsOpenOnce) {
  auto store = open().value();
  EXPECT_EQ(open().error().kind, Kind::conflict);
  store.reset();
  EXPECT_TRUE(open());
}

TEST_F(SqliteStoreTest, RefusesANewerSchemaAndForeignFiles) {
  open().value().reset();
  {
    auto database = Database::open(path_, "").value();
    database.run("PRAGMA user_version = 99").value();
  }
  EXPECT_EQ(open().error().kind, Kind::invalid);
  {
    auto database = Database::open(path_, "").value();
    database.run("PRAGMA user_version = 1; PRAGMA application_id = 7").value();
  }
  EXPECT_EQ(open().error().kind, Kind::invalid);
  std::ofstream(path_) << "this is no database, but it is long enough to be taken for one";
  EXPECT_FALSE(open());
}

TEST_F(SqliteStoreTest, TheDestructorCommitsWhatWaits) {
  auto store = open().value();
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    boost::asio::co_spawn(loop_, store->registry().put("k" + std::to_string(i), "v", 0),
                          [&](std::exception_ptr, Result<int64_t> outcome) { answers += outcome.has_value(); });
  }
  poll();
  store.reset();
  loop_.run();
  EXPECT_EQ(answers, 100);
  store = open().value();
  EXPECT_EQ(run(loop_, store->registry().list("k", "", 1000))->size(), 100u);
}

TEST_F(SqliteStoreTest, AnAnswerComesAfterTheDiskHasTheData) {
  FaultyDisk disk;
  auto store = open(FaultyDisk::kName).value();
  for (int i = 0; i < 20; ++i) {
    auto syncs = disk.syncs();
    put(*store, "a", std::to_string(i)).value();
    EXPECT_EQ(disk.unsynced_wal_writes(), 0);
    EXPECT_GT(disk.syncs(), syncs);
  }
}

TEST_F(SqliteStoreTest, WritesThatWaitShareOneSync) {
  FaultyDisk disk;
  auto store = open(FaultyDisk::kName).value();
  put(*store, "first", "x").value();
  disk.hold_syncs();  // the first of them is at the disk while the others arrive
  int answers = 0;
  for (int i = 0; i < 200; ++i) {
    boost::asio::co_spawn(loop_, store->registry().put("k" + std::to_string(i), "v", 0),
                          [&](std::exception_ptr, Result<int64_t> outcome) { answers += outcome.has_value(); });
    if (i == 0) {
      poll();
      disk.await_held_sync();
    }
  }
  poll();
  auto before = disk.syncs();
  disk.release_syncs();
  loop_.restart();
  loop_.run();
  EXPECT_EQ(answers, 200);
  EXPECT_LE(disk.syncs() - before, 3);
}

TEST_F(SqliteStoreTest, AFullDiskFailsTheWholeTransactionAndNothingIsHalfThere) {
  FaultyDisk disk;
  auto store = open(FaultyDisk::kName).value();
  put(*store, "standing", "old").value();
  for (auto fault : {FaultyDisk::Fault::write, FaultyDisk::Fault::sync}) {
    disk.fail_with(fault);
    std::vector<boost::asio::awaitable<Result<int64_t>>> calls;
    for (int i = 0; i < 50; ++i) calls.push_back(store->registry().put("k" + std::to_string(i), "v", 0));
    calls.push_back(store->registry().put("standing", "new", 1));
    calls.push_back(store->queue().enqueue("q", "item"));
    for (const auto& outcome : run_all(loop_, std::move(calls))) EXPECT_FALSE(outcome);
    disk.fail_with(FaultyDisk::Fault::none);
    EXPECT_EQ(run(loop_, store->registry().list("", "", 1000))->size(), 1u);
    EXPECT_EQ(run(loop_, store->registry().get("standing"))->value, "old");
    EXPECT_TRUE(run(loop_, store->queue().lease("q", 10, std::chrono::milliseconds(1)))->empty());
  }
  EXPECT_EQ(*put(*store, "standing", "new"), 2);
  store.reset();
  store = open().value();
  EXPECT_EQ(run(loop_, store->registry().get("standing"))->value, "new");
}

TEST_F(SqliteStoreTest, AFullDiskIsExhausted) {
  FaultyDisk disk;
  auto store = open(FaultyDisk::kName).value();
  disk.fail_with(FaultyDisk::Fault::write);
  EXPECT_EQ(put(*store, "a", "x").error().kind, Kind::exhausted);
}

TEST_F(SqliteStoreTest, ARefusedCallLeavesTheOthersOfItsTransaction) {
  auto store = open().value();
  std::vector<boost::asio::awaitable<Result<int64_t>>> calls;
  for (int i = 0; i < 30; ++i) calls.push_back(store->registry().put("k" + std::to_string(i), "v", i % 3 == 0 ? 5 : 0));
  auto outcomes = run_all(loop_, std::move(calls));
  for (size_t i = 0; i < outcomes.size(); ++i) EXPECT_EQ(outcomes[i].has_value(), i % 3 != 0);
  EXPECT_EQ(run(loop_, store->registry().list("k", "", 1000))->size(), 20u);
}

TEST_F(SqliteStoreTest, RefusesMoreCallsThanItsLimit) {
  FaultyDisk disk;
  auto store = open(FaultyDisk::kName).value();
  disk.hold_syncs();
  boost::asio::co_spawn(loop_, store->registry().put("first", "v", 0),
                        [](std::exception_ptr, Result<int64_t> outcome) { EXPECT_TRUE(outcome); });
  poll();
  disk.await_held_sync();
  size_t accepted = 0;
  size_t refused = 0;
  for (size_t i = 0; i < CommitThread::kMaxWaiting + 10; ++i) {
    boost::asio::co_spawn(loop_, store->registry().put("k", "v", {}), [&](std::exception_ptr, Result<int64_t> outcome) {
      if (outcome) ++accepted;
      if (!outcome && outcome.error().kind == Kind::exhausted) ++refused;
    });
  }
  poll();
  EXPECT_EQ(refused, 10u);
  disk.release_syncs();
  loop_.restart();
  loop_.run();
  EXPECT_EQ(accepted, CommitThread::kMaxWaiting);
}

// ---- kill -9: the child acknowledges each key on a pipe after its put was answered.

// The registry outlives the process.
// NOLINTNEXTLINE(*-reference-coroutine-parameters)
boost::asio::awaitable<void> append_for_ever(Registry& registry, int start, int step, int acknowledged) {
  for (int i = start;; i += step) {
    auto put = co_await registry.put("k/" + std::to_string(i), std::string(300, 'v'), 0);
    if (!put) _exit(3);
    if (::write(acknowledged, &i, sizeof i) != sizeof i) _exit(4);
  }
}

[[noreturn]] void append_in_child(const std::string& path, int acknowledged, int start) {
  boost::asio::io_context loop;
  TestClock clock;
  auto store = SqliteStore::open(loop.get_executor(), path, clock);
  if (!store) _exit(2);
  constexpr int kWriters = 8;
  for (int i = 0; i < kWriters; ++i) {
    boost::asio::co_spawn(loop, append_for_ever((*store)->registry(), start + i, kWriters, acknowledged),
                          [](std::exception_ptr) { _exit(5); });
  }
  loop.run();
  _exit(6);
}

TEST_F(SqliteStoreTest, WhatWasAcknowledgedSurvivesKill) {
  std::mt19937 random(std::random_device{}());
  std::vector<int> acknowledged;
  for (int round = 0; round < 8; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pid_t child = ::fork();
    if (child == 0) append_in_child(path_, ends[1], round * 10'000'000);
    ::close(ends[1]);
    auto enough = std::uniform_int_distribution<int>(1, 400)(random);
    for (int key = 0; enough > 0 && ::read(ends[0], &key, sizeof key) == sizeof key; --enough)
      acknowledged.push_back(key);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
    for (int key = 0; ::read(ends[0], &key, sizeof key) == sizeof key;) acknowledged.push_back(key);
    ::close(ends[0]);
  }
  auto store = open().value();
  for (int key : acknowledged) {
    auto record = run(loop_, store->registry().get("k/" + std::to_string(key)));
    ASSERT_TRUE(record) << key;
    EXPECT_EQ(record->value.size(), 300u);
  }
  EXPECT_GT(acknowledged.size(), 8u);
}

}  // namespace
}  // namespace hearth::store
