#include "store/commit_thread.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>

namespace hearth::store {

CommitThread::CommitThread(boost::asio::any_io_executor executor, Database& database)
    : executor_(std::move(executor)), database_(database), thread_(&CommitThread::loop, this) {
  pthread_setname_np(thread_.native_handle(), "hearth-store");
}

CommitThread::~CommitThread() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void CommitThread::add(std::unique_ptr<Waiting> call) {
  if (has_room(call->bytes)) return put(std::move(call));
  call->answer(Error{Kind::exhausted, "too many changes wait for the disk"});
}

bool CommitThread::has_room(size_t bytes) {
  std::lock_guard lock(mutex_);
  return waiting_.size() < kMaxWaiting && waiting_bytes_ + bytes <= kMaxWaitingBytes;
}

void CommitThread::put(std::unique_ptr<Waiting> call) {
  {
    std::lock_guard lock(mutex_);
    waiting_bytes_ += call->bytes;
    waiting_.push_back(std::move(call));
  }
  wake_.notify_one();
}

void CommitThread::loop() {
  for (;;) {
    auto batch = take_batch();
    if (batch.empty()) return;
    run_batch(batch);
  }
}

// What waits, oldest first, at most kMaxBatch; empty when the store ends.
std::vector<std::unique_ptr<CommitThread::Waiting>> CommitThread::take_batch() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kMaxBatch));
  std::vector<std::unique_ptr<Waiting>> batch(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  for (const auto& call : batch) waiting_bytes_ -= call->bytes;
  return batch;
}

void CommitThread::run_batch(std::vector<std::unique_ptr<Waiting>>& batch) {
  auto committed = run_writes(batch);
  for (auto& call : batch) {
    if (call->use != Use::write) continue;
    if (committed) {
      call->answer();
    } else {
      call->answer(committed.error());
    }
  }
  for (auto& call : batch) {
    if (call->use != Use::read) continue;
    call->run();
    call->answer();
  }
}

Result<> CommitThread::run_writes(std::vector<std::unique_ptr<Waiting>>& batch) {
  bool any = std::ranges::any_of(batch, [](const auto& call) { return call->use == Use::write; });
  if (!any) return {};
  TRY(database_.run("BEGIN IMMEDIATE"));
  Result<> outcome;
  for (auto& call : batch) {
    if (call->use == Use::write && outcome) outcome = run_write(*call);
  }
  if (outcome) outcome = database_.run("COMMIT");
  // SQLite ends the transaction itself after some failures (full disk, I/O error) and not after others.
  if (!outcome && database_.in_transaction()) {
    if (auto undone = database_.run("ROLLBACK"); !undone) return undone;
  }
  return outcome;
}

// An error: the whole transaction is lost.
Result<> CommitThread::run_write(Waiting& call) {
  TRY(database_.run("SAVEPOINT one_call"));
  bool done = call.run();
  if (!database_.in_transaction()) return fail(Kind::internal, "the database gave up the transaction");
  if (!done) TRY(database_.run("ROLLBACK TO one_call"));
  return database_.run("RELEASE one_call");
}

}  // namespace hearth::store
