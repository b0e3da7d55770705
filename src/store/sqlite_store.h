// SqliteStore: Registry and Queue on one SQLite database (WAL, synchronous=FULL), one writer thread, group commit.
//
// Calls made while a commit is under way join the next transaction, so the fsync is shared. A failed commit fails
// every call in it, and none of it is visible. The file is made with mode 0600 and held exclusively: opening it twice
// is Kind::conflict. A database of a newer schema is refused, an older one migrated.
//
// The destructor commits what waits. REQUIRES: the clock outlives the store; calls come from the executor's one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "store/queue.h"
#include "store/registry.h"

namespace hearth::store {

struct SqliteOptions {
  std::string vfs;                       // SQLite's name of it; "" = the operating system's
  int64_t max_items = Queue::kMaxItems;  // a queue name
};

class SqliteStore {
 public:
  static constexpr int64_t kSchemaVersion = 1;

  static Result<std::unique_ptr<SqliteStore>> open(boost::asio::any_io_executor executor, std::string path,
                                                   const Clock& clock, SqliteOptions options = {});
  virtual ~SqliteStore() = default;
  virtual Registry& registry() = 0;
  virtual Queue& queue() = 0;
};

}  // namespace hearth::store
