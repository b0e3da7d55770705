// For tests: a Registry in memory whose changes can be held back or fail.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <optional>
#include <string>

#include "store/registry.h"

namespace hearth::runtime {

class MemoryRegistry final : public store::Registry {
 public:
  explicit MemoryRegistry(boost::asio::any_io_executor executor)
      : released_(executor, boost::asio::steady_timer::time_point::max()) {}

  void hold() { held_ = true; }
  void release() {
    held_ = false;
    released_.cancel();
  }
  // The next `count` changes fail with this error.
  void fail_changes(int count, Kind kind) {
    failures_ = count;
    failure_ = kind;
  }

  boost::asio::awaitable<Result<store::Record>> get(std::string key) override {
    auto found = records.find(key);
    if (found == records.end()) co_return fail(Kind::not_found, key);
    co_return found->second;
  }
  boost::asio::awaitable<Result<int64_t>> put(std::string key, std::string value,
                                              std::optional<int64_t> expected) override {
    CO_TRY(co_await change());
    int64_t standing = records.contains(key) ? records[key].version : 0;
    if (expected && *expected != standing) co_return fail(Kind::conflict, key);
    records[key] = store::Record{key, value, standing + 1};
    co_return standing + 1;
  }
  boost::asio::awaitable<Result<>> remove(std::string key, std::optional<int64_t> expected) override {
    CO_TRY(co_await change());
    if (!records.contains(key)) co_return fail(Kind::not_found, key);
    if (expected && *expected != records[key].version) co_return fail(Kind::conflict, key);
    records.erase(key);
    co_return Result<>();
  }
  boost::asio::awaitable<Result<std::vector<store::Record>>> list(std::string prefix, std::string after,
                                                                  size_t limit) override {
    std::vector<store::Record> found;
    for (auto at = records.upper_bound(std::max(prefix, after)); at != records.end() && found.size() < limit; ++at) {
      if (!at->first.starts_with(prefix)) break;
      found.push_back(at->second);
    }
    co_return found;
  }

  std::map<std::string, store::Record> records;

 private:
  boost::asio::awaitable<Result<>> change() {
    while (held_) {
      boost::system::error_code ignored;  // cancelled is how the wait ends
      co_await released_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    if (failures_ > 0 && failures_-- > 0) co_return fail(failure_, "the disk is full");
    co_return Result<>();
  }

  boost::asio::steady_timer released_;
  bool held_ = false;
  int failures_ = 0;
  Kind failure_ = Kind::internal;
};

}  // namespace hearth::runtime
