// Logs: what functions wrote, by function, in files `<dir>/<account>/<function>.log`.
//
// Lines are collected in memory and written by the blocking pool every kFlush; a crash of the daemon loses at most
// that. A file that grows over max_file bytes becomes `.log.1` (the former one is gone), so a function holds at most
// twice that. More than max_pending bytes waiting for the disk are dropped; the next line that fits says how many.
// Files outlive their function; trim() keeps the newest kKeptDeleted of those whose function is gone. A sink lives as
// long as somebody writes to it, follows it, or its lines wait for the disk.
//
// Owned by the loop's thread. Refuses names that are no account or function name (they become paths).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_group.h"
#include "runtime/function.h"
#include "runtime/log_lines.h"

namespace hearth::runtime {

class Logs {
 public:
  struct Options {
    std::string dir;
    size_t max_file = 16 * 1024 * 1024;
    size_t max_pending = 32 * 1024 * 1024;
    std::chrono::milliseconds flush{200};
  };
  static constexpr size_t kMaxTail = 10'000;  // lines of one tail()
  static constexpr size_t kMaxTailBytes = 4 * 1024 * 1024;
  static constexpr size_t kMaxFollowers = 256;
  static constexpr size_t kKeptDeleted = 100;  // of one account

  using FollowFn = std::function<void(const LogLine&)>;

  // The lines of one function.
  class Sink : public std::enable_shared_from_this<Sink> {
   public:
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    ~Sink() { logs_.sinks_.erase(function_); }
    void write(std::string_view request_id, std::string_view stream, std::string_view text);

   private:
    friend class Logs;
    Sink(Logs& logs, FunctionKey function, std::string path)
        : logs_(logs), function_(std::move(function)), path_(std::move(path)) {}
    Logs& logs_;
    const FunctionKey function_;
    std::string path_;
    std::string pending_;
    uint64_t dropped_ = 0;
    std::map<uint64_t, FollowFn> followers_;
  };

  // REQUIRES: what is handed over outlives it; it outlives its sinks; stopped (co_await stop()) before it ends.
  Logs(boost::asio::any_io_executor executor, boost::asio::thread_pool& blocking, const Clock& clock, Options options);

  Result<std::shared_ptr<Sink>> sink(const FunctionKey& function);

  // The newest `lines` lines, oldest first; empty when the function never wrote any.
  boost::asio::awaitable<Result<std::vector<LogLine>>> tail(FunctionKey function, size_t lines);
  // `on_line` gets every line from now on, until unfollow(); called on the loop's thread.
  Result<uint64_t> follow(const FunctionKey& function, FollowFn on_line);
  void unfollow(uint64_t follower);

  // Removes the oldest log files of the account's deleted functions; `living`: the names of the others.
  boost::asio::awaitable<Result<>> trim(AccountId account, std::set<std::string> living);

  // Hands what is pending to the disk; answers when it is there.
  boost::asio::awaitable<Result<>> flush();
  boost::asio::awaitable<void> stop();

  uint64_t dropped() const { return dropped_; }
  size_t sinks() const { return sinks_.size(); }

 private:
  struct Batch {
    std::string path;
    std::string text;
  };
  boost::asio::awaitable<void> flush_when_due();
  void become_dirty(Sink& sink);

  boost::asio::thread_pool& blocking_;
  const Clock& clock_;
  Options options_;
  TaskGroup tasks_;
  boost::asio::steady_timer due_;
  boost::asio::steady_timer flushed_;  // cancelled when a flush ends
  Stamps stamps_;
  std::map<FunctionKey, Sink*> sinks_;  // those that live
  std::map<uint64_t, std::shared_ptr<Sink>> followed_;
  std::vector<std::shared_ptr<Sink>> dirty_;
  size_t pending_ = 0;
  uint64_t dropped_ = 0;
  uint64_t next_follower_ = 1;
  bool failing_ = false;
  bool flushing_ = false;
  bool stopping_ = false;
};

}  // namespace hearth::runtime
