// SQLite's statements with C++'s lifetimes and exceptions.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "api.h"
#include "smll/io.h"

namespace smll::sqlite {

// What SQLite said.
class SqliteError : public std::exception {
 public:
  SqliteError(int code, std::string message) : code_(code), message_(std::move(message)) {}
  explicit SqliteError(sqlite3* db) : SqliteError(sqlite3_errcode(db), sqlite3_errmsg(db)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  int code() const { return code_; }

 private:
  int code_;
  std::string message_;
};

inline std::string_view text_of(sqlite3_value* value) {
  const auto* data = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return {data, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

inline ByteView blob_of(sqlite3_value* value) {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_value_blob(value));
  return {data, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

// A prepared statement. Every function throws SqliteError.
class Statement {
 public:
  Statement(sqlite3* db, const std::string& sql);
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // The parameters in their order, from the first; the statement begins anew.
  template <class... Values>
  Statement& bind(const Values&... values) {
    sqlite3_reset(statement_);
    int index = 0;
    (check(bind_one(++index, values)), ...);
    return *this;
  }

  bool step();  // false when there are no more rows
  void run();   // to the end
  void reset() { sqlite3_reset(statement_); }

  // Columns of the row that step() came to.
  bool is_null(int column) { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  bool is_text(int column) { return sqlite3_column_type(statement_, column) == SQLITE_TEXT; }
  std::int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  std::string text(int column);
  Bytes blob(int column);

 private:
  // Texts and blobs must outlive the step.
  int bind_one(int index, std::string_view text);
  int bind_one(int index, const std::string& text) {
    return bind_one(index, std::string_view(text));
  }
  int bind_one(int index, const char* text) { return bind_one(index, std::string_view(text)); }
  int bind_one(int index, ByteView blob);
  int bind_one(int index, const Bytes& blob) { return bind_one(index, ByteView(blob)); }
  int bind_one(int index, std::int64_t number) {
    return sqlite3_bind_int64(statement_, index, number);
  }
  int bind_one(int index, std::nullptr_t) { return sqlite3_bind_null(statement_, index); }
  void check(int code);

  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
};

void execute(sqlite3* db, const std::string& sql);

// All that is done while it lives, or none of it: a transaction of its own or, within the caller's,
// a savepoint.
class Transaction {
 public:
  explicit Transaction(sqlite3* db);
  ~Transaction();  // takes back what was not committed
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  sqlite3* db_;
  bool outermost_;
  bool open_ = true;
};

// Throws SqliteError(SQLITE_INTERRUPT) when sqlite3_interrupt() was called for the running
// statement.
class Interruption {
 public:
  explicit Interruption(sqlite3* db) : probe_(db, "SELECT 1") {}
  void check();

 private:
  // SQLite tells extensions only by ending the statements that they run.
  Statement probe_;
};

std::string identifier(std::string_view name);  // quoted
std::string literal(std::string_view text);     // quoted

}  // namespace smll::sqlite
