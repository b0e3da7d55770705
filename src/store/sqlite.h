// Database and Statement: SQLite's C interface with owners and Results.
//
// One thread at a time (the store's own). A Statement belongs to the class that runs it and must end before its
// Database. Refuses: every SQLite error but "row" and "done" becomes an Error (full disk: exhausted, busy: conflict,
// otherwise internal) that names the step.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::store {

class Statement;

class Database {
 public:
  // Makes the file (mode 0600) when it is missing; `vfs` "" is the operating system's own.
  static Result<Database> open(const std::string& path, const std::string& vfs);

  Result<> run(const char* sql);  // one or more statements without parameters or rows
  Result<Statement> prepare(std::string_view sql);
  Result<int64_t> number(std::string_view sql);  // the first column of the first row

  bool in_transaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close(connection); }
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}
  std::unique_ptr<sqlite3, Close> connection_;
};

class Statement {
 public:
  Statement() = default;

  // Starts a run: binds the values to ?1, ?2, …. Texts and blobs must live until finish(). finish() before the next.
  template <typename... Values>
  Statement& with(const Values&... values) {
    finish();
    int at = 0;
    (bind(++at, values), ...);
    return *this;
  }
  // True: there is a row. False: done.
  Result<bool> step();
  // For what answers no rows.
  Result<> run();
  void finish() { sqlite3_reset(statement_.get()); }

  int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string bytes(int column) const;

  // Of the connection's last change.
  int64_t changes() const { return sqlite3_changes64(sqlite3_db_handle(statement_.get())); }
  int64_t last_row_id() const { return sqlite3_last_insert_rowid(sqlite3_db_handle(statement_.get())); }

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void bind(int at, int64_t value) { note(sqlite3_bind_int64(statement_.get(), at, value)); }
  void bind(int at, std::string_view text);
  void note(int code) {
    if (code != SQLITE_OK) bind_error_ = code;
  }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_error_ = SQLITE_OK;
};

}  // namespace hearth::store
