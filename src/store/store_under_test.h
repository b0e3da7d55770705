// For this folder's tests: a store in a folder of its own, a loop to run calls on, a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/run_test.h"
#include "store/sqlite_store.h"

namespace hearth::store {

class TestClock final : public Clock {
 public:
  WallTime wall() const override { return now; }
  MonotonicTime monotonic() const override { return MonotonicTime(now.time_since_epoch()); }
  WallTime now{std::chrono::milliseconds(1'700'000'000'000)};
};

class TestFolder {
 public:
  TestFolder() : path_(std::filesystem::temp_directory_path() / ("hearth-store-test-" + random_hex(12))) {
    std::filesystem::create_directory(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Starts all calls before the first of them can end, and answers their answers in the same order.
template <typename T>
std::vector<T> run_all(boost::asio::io_context& loop, std::vector<boost::asio::awaitable<T>> calls) {
  std::vector<std::optional<T>> outcomes(calls.size());
  for (size_t i = 0; i < calls.size(); ++i) {
    boost::asio::co_spawn(loop, std::move(calls[i]), [&outcomes, i](std::exception_ptr exception, T value) {
      if (exception) std::rethrow_exception(exception);
      outcomes[i].emplace(std::move(value));
    });
  }
  loop.restart();
  loop.run();
  std::vector<T> values;
  for (auto& outcome : outcomes) values.push_back(std::move(outcome).value());
  return values;
}

// What a contract test needs of an implementation. reopen() ends the store and opens what it left.
struct Backend {
  virtual ~Backend() = default;
  virtual Registry& registry() = 0;
  virtual Queue& queue() = 0;
  virtual void reopen() = 0;
  // The items that a queue of this backend holds at most (small, so that a test can fill it).
  static constexpr int64_t kItems = 20;

  boost::asio::io_context loop;
  TestClock clock;
};

struct Implementation {
  const char* name;
  std::unique_ptr<Backend> (*make)();
};

class SqliteBackend final : public Backend {
 public:
  SqliteBackend() { reopen(); }
  Registry& registry() override { return store_->registry(); }
  Queue& queue() override { return store_->queue(); }
  void reopen() override {
    store_.reset();
    store_ = SqliteStore::open(loop.get_executor(), folder_.file("hearth.db"), clock, {.vfs = "", .max_items = kItems})
                 .value();
  }

 private:
  TestFolder folder_;
  std::unique_ptr<SqliteStore> store_;
};

inline std::unique_ptr<Backend> make_sqlite() { return std::make_unique<SqliteBackend>(); }
inline constexpr Implementation kSqlite{"sqlite", make_sqlite};

}  // namespace hearth::store
