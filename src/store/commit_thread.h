// CommitThread: runs the calls on one database on a thread of its own and makes those that wait together durable
// together (group commit).
//
// Invariants
//  1. A write is answered after the commit that holds it; the commit fsyncs. Writes that arrive during a commit share
//     the next; one that arrives alone is run at once.
//  2. A write that fails is undone alone (savepoint). A transaction that can't be committed fails every write in it.
//  3. Writes run in the order of their calls. Reads run after the commit of the writes that waited with them, so a
//     coroutine that awaited its write reads it.
//  4. The destructor runs what waits, then ends the thread.
//
// Calls are made by coroutines of the owner's executor and resume there. Refuses (Kind::exhausted) more than
// kMaxWaiting calls or kMaxWaitingBytes of them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "store/sqlite.h"

namespace hearth::store {

class CommitThread {
 public:
  static constexpr size_t kMaxWaiting = 16'384;
  static constexpr size_t kMaxWaitingBytes = 128 * 1024 * 1024;
  static constexpr size_t kMaxBatch = 512;  // writes of one transaction

  // REQUIRES: `database` outlives this and is used by nobody else.
  CommitThread(boost::asio::any_io_executor executor, Database& database);
  CommitThread(const CommitThread&) = delete;
  CommitThread& operator=(const CommitThread&) = delete;
  ~CommitThread();

  // Awaitable of what `work` (a callable that returns a Result) answers. `bytes`: what the call holds in memory.
  template <typename Work>
  auto write(Work work, size_t bytes) {
    return start<Use::write>(std::move(work), bytes);
  }
  template <typename Work>
  auto read(Work work) {
    return start<Use::read>(std::move(work), 0);
  }

 private:
  enum class Use { read, write };

  // One call: run() on the thread, then exactly one answer.
  struct Waiting {
    virtual ~Waiting() = default;
    virtual bool run() = 0;  // false: it failed, undo it
    virtual void answer() = 0;
    virtual void answer(const Error& failure) = 0;
    Use use = Use::read;
    size_t bytes = 0;
  };

  template <typename Work, typename Handler>
  struct Call final : Waiting {
    using Outcome = std::invoke_result_t<Work&>;
    Call(Work work_, Handler handler_, const boost::asio::any_io_executor& executor)
        : work(std::move(work_)), handler(std::move(handler_)), guard(executor) {}

    bool run() override {
      outcome.emplace(work());
      return outcome->has_value();
    }
    void answer() override { post(*std::move(outcome)); }
    void answer(const Error& failure) override { post(std::unexpected(failure)); }
    void post(Outcome result) {
      auto executor = guard.get_executor();
      boost::asio::post(executor, [handler_ = std::move(handler), result_ = std::move(result)]() mutable {
        handler_(std::move(result_));
      });
    }

    Work work;
    std::optional<Outcome> outcome;
    Handler handler;
    boost::asio::executor_work_guard<boost::asio::any_io_executor> guard;  // the loop has work until the answer
  };

  template <Use use, typename Work>
  auto start(Work work, size_t bytes) {
    using Outcome = std::invoke_result_t<Work&>;
    auto initiate = [this, work_ = std::move(work), bytes](auto handler) mutable {
      auto call = std::make_unique<Call<Work, decltype(handler)>>(std::move(work_), std::move(handler), executor_);
      call->use = use;
      call->bytes = bytes;
      add(std::move(call));
    };
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void(Outcome)>(
        std::move(initiate), boost::asio::use_awaitable);
  }

  void add(std::unique_ptr<Waiting> call);  // from the owner's thread only, so that room which is there stays
  bool has_room(size_t bytes);
  void put(std::unique_ptr<Waiting> call);
  void loop();
  std::vector<std::unique_ptr<Waiting>> take_batch();
  void run_batch(std::vector<std::unique_ptr<Waiting>>& batch);
  Result<> run_writes(std::vector<std::unique_ptr<Waiting>>& batch);
  Result<> run_write(Waiting& call);

  boost::asio::any_io_executor executor_;
  Database& database_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Waiting>> waiting_;
  size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses what stands above
};

}  // namespace hearth::store
