// RecordTable: the registry's records in SQLite; what Registry promises, without waiting and without durability.
//
// Every call runs inside the store's transaction, on the store's thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/registry.h"
#include "store/sqlite.h"

namespace hearth::store {

class RecordTable {
 public:
  static constexpr const char* kSchema =
      "CREATE TABLE record(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, version INTEGER NOT NULL) STRICT;";

  static Result<RecordTable> open(Database& database);

  Result<Record> get(const std::string& key);
  Result<int64_t> put(const std::string& key, const std::string& value, std::optional<int64_t> expected);
  Result<> remove(const std::string& key, std::optional<int64_t> expected);
  Result<std::vector<Record>> list(const std::string& prefix, const std::string& after, size_t limit);

 private:
  Result<int64_t> standing_version(const std::string& key);  // 0: no record

  Statement version_;
  Statement get_;
  Statement put_;
  Statement remove_;
  Statement list_;
};

}  // namespace hearth::store
