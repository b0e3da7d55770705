#include "store/item_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::store {
namespace {

int64_t millis(WallTime time) { return time.time_since_epoch().count(); }

Result<> must_have_changed(const Statement& statement, int64_t id) {
  if (statement.changes() == 0) return fail(Kind::not_found, fmt::format("no queue item {}", id));
  return {};
}

}  // namespace

const char* const ItemTable::kSchema =
    "CREATE TABLE item(id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, body BLOB NOT NULL,"
    "  attempts INTEGER NOT NULL, enqueued_at INTEGER NOT NULL, due_at INTEGER NOT NULL);"
    "CREATE INDEX item_due ON item(queue, due_at, id);"
    "CREATE TABLE queue_size(queue TEXT PRIMARY KEY NOT NULL, items INTEGER NOT NULL) STRICT;"
    "CREATE TRIGGER item_added AFTER INSERT ON item BEGIN"
    "  INSERT INTO queue_size(queue, items) VALUES(new.queue, 1)"
    "  ON CONFLICT(queue) DO UPDATE SET items = items + 1; END;"
    "CREATE TRIGGER item_removed AFTER DELETE ON item BEGIN"
    "  UPDATE queue_size SET items = items - 1 WHERE queue = old.queue; END;";

Result<ItemTable> ItemTable::open(Database& database, int64_t max_items) {
  ItemTable table(max_items);
  TRY_ASSIGN(table.size_, database.prepare("SELECT items FROM queue_size WHERE queue = ?1"));
  TRY_ASSIGN(table.insert_, database.prepare("INSERT INTO item(queue, body, attempts, enqueued_at, due_at) "
                                             "VALUES(?1, ?2, 0, ?3, ?3)"));
  TRY_ASSIGN(table.due_, database.prepare("SELECT id, body, attempts, enqueued_at FROM item "
                                          "WHERE queue = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3"));
  TRY_ASSIGN(table.lease_, database.prepare("UPDATE item SET due_at = ?2, attempts = attempts + 1 WHERE id = ?1"));
  TRY_ASSIGN(table.remove_, database.prepare("DELETE FROM item WHERE id = ?1"));
  TRY_ASSIGN(table.retry_, database.prepare("UPDATE item SET due_at = ?2 WHERE id = ?1"));
  TRY_ASSIGN(table.names_, database.prepare("SELECT queue FROM queue_size WHERE items > 0 "
                                            "AND substr(queue, 1, length(?1)) = ?1 ORDER BY queue"));
  TRY_ASSIGN(table.clear_, database.prepare("DELETE FROM item WHERE queue = ?1"));
  return table;
}

Result<int64_t> ItemTable::enqueue(const std::string& queue, const std::string& body, WallTime now) {
  TRY_ASSIGN(bool row, size_.with(queue).step());
  int64_t items = row ? size_.integer(0) : 0;
  size_.finish();
  if (items >= max_items_) return fail(Kind::exhausted, fmt::format("queue {} holds {} items", queue, items));
  TRY(insert_.with(queue, body, millis(now)).run());
  return insert_.last_row_id();
}

Result<std::vector<QueueItem>> ItemTable::lease(const std::string& queue, size_t limit, WallTime now,
                                                std::chrono::milliseconds lease) {
  std::vector<QueueItem> items;
  auto at_most = static_cast<int64_t>(std::min(limit, Queue::kMaxLease));
  due_.with(queue, millis(now), at_most);
  for (;;) {
    TRY_ASSIGN(bool row, due_.step());
    if (!row) break;
    WallTime enqueued_at{std::chrono::milliseconds(due_.integer(3))};
    items.push_back(QueueItem{due_.integer(0), due_.bytes(1), static_cast<int>(due_.integer(2)), enqueued_at});
  }
  due_.finish();
  for (const auto& item : items) TRY(lease_.with(item.id, millis(now + lease)).run());
  return items;
}

Result<> ItemTable::acknowledge(int64_t id) {
  TRY(remove_.with(id).run());
  return must_have_changed(remove_, id);
}

Result<> ItemTable::retry_at(int64_t id, WallTime due) {
  TRY(retry_.with(id, millis(due)).run());
  return must_have_changed(retry_, id);
}

Result<std::vector<std::string>> ItemTable::names(const std::string& prefix) {
  std::vector<std::string> names;
  names_.with(prefix);
  for (;;) {
    TRY_ASSIGN(bool row, names_.step());
    if (!row) break;
    names.push_back(names_.bytes(0));
  }
  names_.finish();
  return names;
}

Result<> ItemTable::clear(const std::string& queue) { return clear_.with(queue).run(); }

}  // namespace hearth::store
