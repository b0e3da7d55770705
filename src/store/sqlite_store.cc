#include "store/sqlite_store.h"

#include <fmt/format.h>

#include <array>

#include "store/commit_thread.h"
#include "store/item_table.h"
#include "store/record_table.h"
#include "store/sqlite.h"

namespace hearth::store {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr int64_t kApplicationId = 0x48525448;  // "HRTH"

// Step n brings schema version n to n + 1.
Result<> migrate(Database& database, int64_t version) {
  const std::array<std::string, SqliteStore::kSchemaVersion> steps = {std::string(RecordTable::kSchema) +
                                                                      ItemTable::kSchema};
  for (auto step = static_cast<size_t>(version); step < steps.size(); ++step) {
    TRY(database.run(fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;",
                                 steps[step], kApplicationId, step + 1)
                         .c_str()));
  }
  return {};
}

Result<Database> open_database(const std::string& path, const std::string& vfs) {
  TRY_ASSIGN(Database database, Database::open(path, vfs));
  // Exclusive: a second daemon on the same file is refused, and the WAL needs no shared memory. Must come before WAL.
  TRY(
      database.run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF;"));
  TRY_ASSIGN(int64_t version, database.number("PRAGMA user_version"));
  TRY_ASSIGN(int64_t application, database.number("PRAGMA application_id"));
  if (version != 0 && application != kApplicationId) return fail(Kind::invalid, path + " is not a database of Hearth");
  if (version > SqliteStore::kSchemaVersion) {
    return fail(Kind::invalid, fmt::format("{} has schema version {}; this program knows none above {}", path, version,
                                           SqliteStore::kSchemaVersion));
  }
  TRY(migrate(database, version));
  return database;
}

Result<> check_key(const std::string& key) {
  if (key.empty()) return fail(Kind::invalid, "a key must not be empty");
  if (key.size() > Registry::kMaxKey) {
    return fail(Kind::invalid, fmt::format("a key is over {} bytes", Registry::kMaxKey));
  }
  if (key.find('\0') != std::string::npos) return fail(Kind::invalid, "a key must not hold NUL");
  return {};
}

class SqliteRegistry final : public Registry {
 public:
  SqliteRegistry(RecordTable& table, CommitThread& thread) : table_(table), thread_(thread) {}

  asio::awaitable<Result<Record>> get(std::string key) override {
    CO_TRY(check_key(key));
    auto work = [this, key] { return table_.get(key); };
    co_return co_await thread_.read(std::move(work));
  }

  asio::awaitable<Result<int64_t>> put(std::string key, std::string value, std::optional<int64_t> expected) override {
    CO_TRY(check_key(key));
    size_t bytes = value.size();
    if (bytes > kMaxValue) co_return fail(Kind::invalid, fmt::format("a value is over {} bytes", kMaxValue));
    auto work = [this, key, value_ = std::move(value), expected] { return table_.put(key, value_, expected); };
    co_return co_await thread_.write(std::move(work), bytes);
  }

  asio::awaitable<Result<>> remove(std::string key, std::optional<int64_t> expected) override {
    CO_TRY(check_key(key));
    auto work = [this, key, expected] { return table_.remove(key, expected); };
    co_return co_await thread_.write(std::move(work), 0);
  }

  asio::awaitable<Result<std::vector<Record>>> list(std::string prefix, std::string after, size_t limit) override {
    auto work = [this, prefix, after, limit] { return table_.list(prefix, after, limit); };
    co_return co_await thread_.read(std::move(work));
  }

 private:
  RecordTable& table_;
  CommitThread& thread_;
};

// Times are taken when a call is made, so the clock stays on the owner's thread.
class SqliteQueue final : public Queue {
 public:
  SqliteQueue(ItemTable& table, CommitThread& thread, const Clock& clock)
      : table_(table), thread_(thread), clock_(clock) {}

  asio::awaitable<Result<int64_t>> enqueue(std::string queue, std::string body) override {
    CO_TRY(check_key(queue));
    size_t bytes = body.size();
    if (bytes > kMaxBody) co_return fail(Kind::invalid, fmt::format("a queue item is over {} bytes", kMaxBody));
    auto work = [this, queue, body_ = std::move(body), now = clock_.wall()] {
      return table_.enqueue(queue, body_, now);
    };
    co_return co_await thread_.write(std::move(work), bytes);
  }

  asio::awaitable<Result<std::vector<QueueItem>>> lease(std::string queue, size_t limit, milliseconds lease) override {
    auto work = [this, queue, limit, lease, now = clock_.wall()] { return table_.lease(queue, limit, now, lease); };
    co_return co_await thread_.write(std::move(work), 0);
  }

  asio::awaitable<Result<>> acknowledge(int64_t id) override {
    auto work = [this, id] { return table_.acknowledge(id); };
    co_return co_await thread_.write(std::move(work), 0);
  }

  asio::awaitable<Result<>> retry_later(int64_t id, milliseconds delay) override {
    auto work = [this, id, due = clock_.wall() + delay] { return table_.retry_at(id, due); };
    co_return co_await thread_.write(std::move(work), 0);
  }

  asio::awaitable<Result<std::vector<std::string>>> names(std::string prefix) override {
    auto work = [this, prefix] { return table_.names(prefix); };
    co_return co_await thread_.read(std::move(work));
  }

  asio::awaitable<Result<>> clear(std::string queue) override {
    auto work = [this, queue] { return table_.clear(queue); };
    co_return co_await thread_.write(std::move(work), 0);
  }

 private:
  ItemTable& table_;
  CommitThread& thread_;
  const Clock& clock_;
};

class Store final : public SqliteStore {
 public:
  Store(asio::any_io_executor executor, Database database, RecordTable records, ItemTable items, const Clock& clock)
      : database_(std::move(database)),
        records_(std::move(records)),
        items_(std::move(items)),
        thread_(std::move(executor), database_),
        registry_(records_, thread_),
        queue_(items_, thread_, clock) {}

  Registry& registry() override { return registry_; }
  Queue& queue() override { return queue_; }

 private:
  // The thread ends, having run what waited, before the statements that it uses; they before the connection.
  Database database_;
  RecordTable records_;
  ItemTable items_;
  CommitThread thread_;
  SqliteRegistry registry_;
  SqliteQueue queue_;
};

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(asio::any_io_executor executor, std::string path,
                                                       const Clock& clock, SqliteOptions options) {
  TRY_ASSIGN(Database database, open_database(path, options.vfs));
  TRY_ASSIGN(RecordTable records, RecordTable::open(database));
  TRY_ASSIGN(ItemTable items, ItemTable::open(database, options.max_items));
  return std::make_unique<Store>(std::move(executor), std::move(database), std::move(records), std::move(items), clock);
}

}  // namespace hearth::store
