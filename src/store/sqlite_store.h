// SqliteStore: Registry and Queue on one SQLite database (WAL, synchronous=FULL), one writer thread, group commit.
//
// Calls posted while a commit is under way join the next transaction, so the fsync is shared. A failed commit fails
// every call in it. The file is made with mode 0600; a database of a newer schema is refused, an older one migrated.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "store/queue.h"
#include "store/registry.h"

namespace hearth::store {

class SqliteStore {
 public:
  static Result<std::unique_ptr<SqliteStore>> open(boost::asio::any_io_executor executor, std::string path,
                                                   const Clock& clock);
  virtual ~SqliteStore() = default;
  virtual Registry& registry() = 0;
  virtual Queue& queue() = 0;
};

}  // namespace hearth::store
