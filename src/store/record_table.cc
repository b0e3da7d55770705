#include "store/record_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::store {
namespace {

Failure version_conflict(const std::string& key, int64_t expected, int64_t standing) {
  return fail(Kind::conflict, fmt::format("record {} is at version {}, not {}", key, standing, expected));
}

}  // namespace

Result<RecordTable> RecordTable::open(Database& database) {
  RecordTable table;
  TRY_ASSIGN(table.version_, database.prepare("SELECT version FROM record WHERE key = ?1"));
  TRY_ASSIGN(table.get_, database.prepare("SELECT value, version FROM record WHERE key = ?1"));
  TRY_ASSIGN(table.put_, database.prepare("INSERT INTO record(key, value, version) VALUES(?1, ?2, ?3) "
                                          "ON CONFLICT(key) DO UPDATE SET value = ?2, version = ?3"));
  TRY_ASSIGN(table.remove_, database.prepare("DELETE FROM record WHERE key = ?1"));
  TRY_ASSIGN(table.list_, database.prepare("SELECT key, value, version FROM record WHERE key >= ?1 AND key > ?2 "
                                           "ORDER BY key LIMIT ?3"));
  return table;
}

Result<int64_t> RecordTable::standing_version(const std::string& key) {
  TRY_ASSIGN(bool row, version_.with(key).step());
  int64_t version = row ? version_.integer(0) : 0;
  version_.finish();
  return version;
}

Result<Record> RecordTable::get(const std::string& key) {
  TRY_ASSIGN(bool row, get_.with(key).step());
  if (!row) {
    get_.finish();
    return fail(Kind::not_found, "no record " + key);
  }
  Record record{key, get_.bytes(0), get_.integer(1)};
  get_.finish();
  return record;
}

Result<int64_t> RecordTable::put(const std::string& key, const std::string& value, std::optional<int64_t> expected) {
  TRY_ASSIGN(int64_t standing, standing_version(key));
  if (expected && *expected != standing) return version_conflict(key, *expected, standing);
  TRY(put_.with(key, value, standing + 1).run());
  return standing + 1;
}

Result<> RecordTable::remove(const std::string& key, std::optional<int64_t> expected) {
  TRY_ASSIGN(int64_t standing, standing_version(key));
  if (standing == 0) return fail(Kind::not_found, "no record " + key);
  if (expected && *expected != standing) return version_conflict(key, *expected, standing);
  return remove_.with(key).run();
}

Result<std::vector<Record>> RecordTable::list(const std::string& prefix, const std::string& after, size_t limit) {
  std::vector<Record> records;
  auto at_most = static_cast<int64_t>(std::min(limit, Registry::kMaxPage));
  list_.with(prefix, after, at_most);
  for (;;) {
    TRY_ASSIGN(bool row, list_.step());
    // Keys are in byte order, so the first one without the prefix is past all that have it.
    if (!row || !list_.bytes(0).starts_with(prefix)) break;
    records.push_back(Record{list_.bytes(0), list_.bytes(1), list_.integer(2)});
  }
  list_.finish();
  return records;
}

}  // namespace hearth::store
