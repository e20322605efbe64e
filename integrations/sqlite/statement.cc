#include "statement.h"

namespace smll::sqlite {
namespace {

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

}  // namespace

Statement::Statement(sqlite3* db, const std::string& sql) : db_(db) {
  check(sqlite3_prepare_v2(db, sql.c_str(), static_cast<int>(sql.size()), &statement_, nullptr));
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  throw SqliteError(db_);
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

std::string Statement::text(int column) {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Bytes Statement::blob(int column) {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return {data, data + sqlite3_column_bytes(statement_, column)};
}

int Statement::bind_one(int index, std::string_view text) {
  return sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(),
                             text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

int Statement::bind_one(int index, ByteView blob) {
  return sqlite3_bind_blob64(statement_, index,
                             blob.empty() ? static_cast<const void*>("") : blob.data(), blob.size(),
                             SQLITE_STATIC);
}

void Statement::check(int code) {
  if (code != SQLITE_OK) throw SqliteError(db_);
}

void execute(sqlite3* db, const std::string& sql) { Statement(db, sql).run(); }

Transaction::Transaction(sqlite3* db) : db_(db), outermost_(sqlite3_get_autocommit(db) != 0) {
  execute(db_, outermost_ ? "BEGIN IMMEDIATE" : "SAVEPOINT smll");
}

Transaction::~Transaction() {
  // SQLite has rolled back by itself after some errors; then these fail, which is no matter.
  if (!open_) return;
  if (outermost_) {
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  } else {
    sqlite3_exec(db_, "ROLLBACK TO smll; RELEASE smll", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  execute(db_, outermost_ ? "COMMIT" : "RELEASE smll");
  open_ = false;
}

void Interruption::check() {
  probe_.step();
  probe_.reset();
}

std::string identifier(std::string_view name) { return quoted(name, '"'); }

std::string literal(std::string_view text) { return quoted(text, '\''); }

}  // namespace smll::sqlite
