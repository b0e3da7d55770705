// Queue: work that must be done at least once, though the process dies.
//
// enqueue() answers after the item is durable. A leased item that is neither acknowledged nor put off before its lease
// ends is leased again. Items are bounded: kMaxBody each, kMaxItems a queue name (Kind::exhausted beyond).
// Calls are coroutines of the owner's loop. Contract test: store/queue_contract_test.cc.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace hearth::store {

struct QueueItem {
  int64_t id = 0;
  std::string body;
  int attempts = 0;  // leases before this one
  WallTime enqueued_at;
};

class Queue {
 public:
  static constexpr size_t kMaxBody = 2 * 1024 * 1024;
  static constexpr int64_t kMaxItems = 100'000;
  static constexpr size_t kMaxLease = 256;  // items of one lease()

  virtual ~Queue() = default;

  virtual boost::asio::awaitable<Result<int64_t>> enqueue(std::string queue, std::string body) = 0;
  // At most `limit` items that are due, the longest due first. The answer counts this lease in no item's `attempts`.
  virtual boost::asio::awaitable<Result<std::vector<QueueItem>>> lease(std::string queue, size_t limit,
                                                                       std::chrono::milliseconds lease) = 0;
  // Both: not_found when the item is gone.
  virtual boost::asio::awaitable<Result<>> acknowledge(int64_t id) = 0;
  virtual boost::asio::awaitable<Result<>> retry_later(int64_t id, std::chrono::milliseconds delay) = 0;
  // Queues that hold items and whose name starts with `prefix`.
  virtual boost::asio::awaitable<Result<std::vector<std::string>>> names(std::string prefix) = 0;
  // Drops all items of the queue, leased or not.
  virtual boost::asio::awaitable<Result<>> clear(std::string queue) = 0;
};

}  // namespace hearth::store
