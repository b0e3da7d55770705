#include "store/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/fd.h"

namespace hearth::store {
namespace {

Failure sqlite_failure(sqlite3* connection, int code, std::string_view what,
                       std::source_location where = std::source_location::current()) {
  Kind kind = Kind::internal;
  if ((code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_NOMEM) kind = Kind::exhausted;
  if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) kind = Kind::conflict;
  return fail(kind, fmt::format("{}: {}", what, connection ? sqlite3_errmsg(connection) : sqlite3_errstr(code)), where);
}

// SQLite makes files 0644; its -wal and -shm take the mode of the database file, so that one has to be right first.
Result<> make_private(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return fail_errno("open " + path);
  if (::fchmod(file.get(), 0600) != 0) return fail_errno("fchmod " + path);
  return {};
}

}  // namespace

Result<Database> Database::open(const std::string& path, const std::string& vfs) {
  TRY(make_private(path));
  sqlite3* raw = nullptr;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int code = sqlite3_open_v2(path.c_str(), &raw, flags, vfs.empty() ? nullptr : vfs.c_str());
  Database database(raw);
  if (code != SQLITE_OK) return sqlite_failure(raw, code, "open " + path);
  return database;
}

Result<> Database::run(const char* sql) {
  int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_failure(connection_.get(), code, sql);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                &raw, nullptr);
  if (code != SQLITE_OK) return sqlite_failure(connection_.get(), code, sql);
  return Statement(raw);
}

Result<int64_t> Database::number(std::string_view sql) {
  TRY_ASSIGN(Statement statement, prepare(sql));
  TRY_ASSIGN(bool row, statement.step());
  if (!row) return fail(Kind::internal, fmt::format("{}: no row", sql));
  return statement.integer(0);
}

void Statement::bind(int at, std::string_view text) {
  // A null pointer would bind NULL, and an empty string_view may hold one.
  const char* data = text.data() == nullptr ? "" : text.data();
  note(sqlite3_bind_text64(statement_.get(), at, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

Result<bool> Statement::step() {
  sqlite3* connection = sqlite3_db_handle(statement_.get());
  if (int code = std::exchange(bind_error_, SQLITE_OK); code != SQLITE_OK) {
    return sqlite_failure(connection, code, sqlite3_sql(statement_.get()));
  }
  int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Failure failure = sqlite_failure(connection, code, sqlite3_sql(statement_.get()));
  finish();
  return failure;
}

Result<> Statement::run() {
  auto row = step();
  finish();
  if (!row) return std::unexpected(std::move(row).error());
  return {};
}

std::string Statement::bytes(int column) const {
  auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
  return data == nullptr ? std::string() : std::string(data, size);
}

}  // namespace hearth::store
