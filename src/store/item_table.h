// ItemTable: the queues' items in SQLite; what Queue promises, without waiting and without durability.
//
// An item is due at `due_at`; a lease moves that to the lease's end, a retry to later. The number of items of each
// queue is kept by triggers in `queue_size`, so the limit costs one look-up and a rolled back change counts back. Every
// call runs inside the store's transaction, on the store's thread.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/queue.h"
#include "store/sqlite.h"

namespace hearth::store {

class ItemTable {
 public:
  static const char* const kSchema;

  static Result<ItemTable> open(Database& database, int64_t max_items);

  Result<int64_t> enqueue(const std::string& queue, const std::string& body, WallTime now);
  Result<std::vector<QueueItem>> lease(const std::string& queue, size_t limit, WallTime now,
                                       std::chrono::milliseconds lease);
  Result<> acknowledge(int64_t id);
  Result<> retry_at(int64_t id, WallTime due);
  Result<std::vector<std::string>> names(const std::string& prefix);
  Result<> clear(const std::string& queue);

 private:
  explicit ItemTable(int64_t max_items) : max_items_(max_items) {}

  int64_t max_items_;
  Statement size_;
  Statement insert_;
  Statement due_;
  Statement lease_;
  Statement remove_;
  Statement retry_;
  Statement names_;
  Statement clear_;
};

}  // namespace hearth::store
