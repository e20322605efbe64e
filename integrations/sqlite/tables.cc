#include "tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

#include "maintain.h"
#include "smll/dictionary.h"
#include "smll/error.h"
#include "table_shape.h"

namespace smll::sqlite {
namespace {

using Names = std::vector<std::string>;

bool exists(sqlite3* db, const std::string& name) {
  Statement found(db, "SELECT 1 FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE");
  return found.bind(name).step();
}

void make_own_tables(sqlite3* db) {
  execute(db,
          "CREATE TABLE IF NOT EXISTS main._smll_columns (tbl TEXT, col TEXT, token TEXT NOT NULL, "
          "model TEXT NOT NULL, dictionary TEXT, PRIMARY KEY (tbl, col)) WITHOUT ROWID");
  execute(db,
          "CREATE TABLE IF NOT EXISTS main._smll_sets (id INTEGER PRIMARY KEY, fingerprint TEXT "
          "NOT NULL, model TEXT NOT NULL, window INTEGER NOT NULL, dictionary TEXT)");
  execute(db,
          "CREATE TABLE IF NOT EXISTS main._smll_dictionaries (identity TEXT PRIMARY KEY, name "
          "TEXT NOT NULL, content BLOB NOT NULL)");
}

std::uint64_t number_of(const std::string& hex_digits) {
  std::uint64_t number = 0;
  const char* end = hex_digits.data() + hex_digits.size();
  const auto [rest, error] = std::from_chars(hex_digits.data(), end, number, 16);
  if (error != std::errc() || rest != end) {
    throw Error(ErrorKind::kData,
                "the database's _smll tables are damaged: " + hex_digits + " is no identity");
  }
  return number;
}

std::optional<std::uint64_t> number_in(Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return number_of(row.text(column));
}

// While a table is another: foreign keys go on meaning its rows, and views that read it its name.
class Renaming {
 public:
  explicit Renaming(sqlite3* db) : db_(db) {
    before_ = {set(SQLITE_DBCONFIG_ENABLE_FKEY, -1), set(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, -1)};
    set(SQLITE_DBCONFIG_ENABLE_FKEY, 1);
    set(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, 1);
  }
  ~Renaming() {
    set(SQLITE_DBCONFIG_ENABLE_FKEY, before_[0]);
    set(SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, before_[1]);
  }
  Renaming(const Renaming&) = delete;
  Renaming& operator=(const Renaming&) = delete;

  void rename(const std::string& from, const std::string& to) {
    execute(db_, fmt::format("ALTER TABLE main.{} RENAME TO {}", identifier(from), identifier(to)));
  }

 private:
  int set(int option, int value) {
    int now = 0;
    sqlite3_db_config(db_, option, value, &now);
    return now;
  }

  sqlite3* db_;
  std::vector<int> before_;
};

Names compressed_columns(sqlite3* db, const std::string& table) {
  Names names;
  if (!exists(db, "_smll_columns")) return names;
  Statement columns(db, "SELECT col FROM main._smll_columns WHERE tbl = ? ORDER BY col");
  columns.bind(table);
  while (columns.step()) names.push_back(columns.text(0));
  return names;
}

// `leaving` is a column that is compressed no more and has its state still.
void make_view(sqlite3* db, const std::string& table, const Names& leaving = {}) {
  const Names compressed = compressed_columns(db, table);
  Names with_state = compressed;
  with_state.insert(with_state.end(), leaving.begin(), leaving.end());
  const auto shape = shape_of(db, base_name(table), with_state);
  for (const std::string& statement : view_of(db, table, shape, compressed)) execute(db, statement);
}

void drop_view(sqlite3* db, const std::string& table) {
  execute(db, "DROP VIEW main." + identifier(table));
}

std::string index_name(const std::string& table, const std::string& column) {
  return "_" + table + "_" + column + "_smll";
}

void add_state(sqlite3* db, const std::string& table, const std::string& column) {
  const std::string base = identifier(base_name(table)), state = identifier(state_name(column));
  execute(db, fmt::format("ALTER TABLE main.{} ADD COLUMN {} INTEGER", base, state));
  // Of rows that wait: it is empty when all are compressed.
  execute(db, fmt::format("CREATE INDEX main.{0} ON {1} ({2}) WHERE {2} IS NULL",
                          identifier(index_name(table, column)), base, state));
}

std::string new_token() {
  std::uint64_t token = 0;
  sqlite3_randomness(sizeof token, &token);
  return hex(token);
}

void note_column(sqlite3* db, const std::string& table, const std::string& column,
                 const std::string& model, const std::optional<Dictionary>& dictionary) {
  const std::string identity = dictionary ? hex(dictionary->identity()) : std::string();
  const std::string token = new_token();
  Statement note(db,
                 "INSERT INTO main._smll_columns (tbl, col, token, model, dictionary) "
                 "VALUES (?, ?, ?, ?, nullif(?, '')) ON CONFLICT DO UPDATE SET "
                 "model = excluded.model, dictionary = excluded.dictionary");
  note.bind(table, column, token, model, identity).run();
}

void store(sqlite3* db, const Dictionary& dictionary) {
  const Bytes content = dictionary.serialize();
  Statement insert(db, "INSERT OR IGNORE INTO main._smll_dictionaries VALUES (?, ?, ?)");
  const std::string identity = hex(dictionary.identity()), name = printable(dictionary.name());
  insert.bind(identity, name, content).run();
}

// The names as the schema spells them; as they are where it has none.
std::pair<std::string, std::string> spelled(sqlite3* db, const std::string& table,
                                            const std::string& column) {
  Statement find(db,
                 "SELECT t.name, coalesce(c.name, ?2) FROM pragma_table_list t LEFT JOIN "
                 "pragma_table_xinfo(t.name, 'main') c ON c.name = ?2 COLLATE NOCASE "
                 "WHERE t.schema = 'main' AND t.name = ?1 COLLATE NOCASE");
  if (!find.bind(table, column).step()) return {table, column};
  return {find.text(0), find.text(1)};
}

// The newest one.
std::optional<Bytes> stored_where(sqlite3* db, const std::string& condition,
                                  const std::string& value) {
  if (!exists(db, "_smll_dictionaries")) return std::nullopt;
  Statement found(db, "SELECT content FROM main._smll_dictionaries WHERE " + condition +
                          " ORDER BY rowid DESC");
  if (!found.bind(value).step()) return std::nullopt;
  return found.blob(0);
}

}  // namespace

std::string base_name(const std::string& table) { return "_" + table + "_smll"; }

std::string state_name(const std::string& column) { return "_" + column + "_smll"; }

void enable(sqlite3* db, const std::string& table_name, const std::string& column_name,
            const std::string& dictionary, const std::string& model) {
  const auto [table, column] = spelled(db, table_name, column_name);
  std::optional<Dictionary> found;
  if (!dictionary.empty()) found = dictionary_meant(db, dictionary);
  const Names before = compressed_columns(db, table);
  const bool is_view = !before.empty();
  const bool is_new = std::find(before.begin(), before.end(), column) == before.end();
  if (is_new) {
    if (!is_view) check_table(db, table);
    const std::string name = is_view ? base_name(table) : table;
    check_column(db, name, shape_of(db, name, before), column);
  }
  Transaction transaction(db);
  make_own_tables(db);
  if (found) store(db, *found);
  note_column(db, table, column, model, found);
  if (is_new) {
    if (is_view) {
      drop_view(db, table);
    } else {
      Renaming(db).rename(table, base_name(table));
    }
    add_state(db, table, column);
    make_view(db, table);
  }
  transaction.commit();
}

void disable(sqlite3* db, const std::string& table_name, const std::string& column_name) {
  const EnabledColumn enabled = enabled_column(db, table_name, column_name);
  const auto& [table, column] = std::tie(enabled.table, enabled.column);
  Transaction transaction(db);
  restore_rows(db, table, column);
  Statement forget(db, "DELETE FROM main._smll_columns WHERE tbl = ? AND col = ?");
  forget.bind(table, column).run();
  drop_view(db, table);
  execute(db, "DROP INDEX main." + identifier(index_name(table, column)));
  const bool is_last = compressed_columns(db, table).empty();
  // SQLite drops a column only where all views can be read.
  if (is_last) {
    Renaming(db).rename(base_name(table), table);
  } else {
    make_view(db, table, {column});
  }
  execute(db, fmt::format("ALTER TABLE main.{} DROP COLUMN {}",
                          identifier(is_last ? table : base_name(table)),
                          identifier(state_name(column))));
  transaction.commit();
}

std::vector<EnabledColumn> enabled_columns(sqlite3* db) {
  std::vector<EnabledColumn> columns;
  if (!exists(db, "_smll_columns")) return columns;
  Statement rows(db, "SELECT tbl, col, model, dictionary FROM main._smll_columns");
  while (rows.step()) {
    columns.push_back({rows.text(0), rows.text(1), rows.text(2), number_in(rows, 3)});
  }
  return columns;
}

EnabledColumn enabled_column(sqlite3* db, const std::string& table_name,
                             const std::string& column_name) {
  const auto [table, column] = spelled(db, table_name, column_name);
  for (const EnabledColumn& each : enabled_columns(db)) {
    if (each.table == table && each.column == column) return each;
  }
  throw Error(ErrorKind::kUsage, fmt::format("column {} of table {} is not compressed; "
                                             "smll_enable({}, {}) makes it so",
                                             column, table, literal(table), literal(column)));
}

EnginePtr engine_of(sqlite3* db, const EnabledColumn& column) {
  std::optional<Dictionary> dictionary;
  if (column.dictionary) dictionary = dictionary_meant(db, hex(*column.dictionary));
  return engine_for(column.model, dictionary);
}

std::string rowid_name(sqlite3* db, const std::string& base) {
  for (const char* name : {"rowid", "_rowid_", "oid"}) {
    Statement taken(db,
                    "SELECT 1 FROM pragma_table_xinfo(?, 'main') WHERE name = ? COLLATE NOCASE");
    if (!taken.bind(base, name).step()) return name;
  }
  throw Error(ErrorKind::kUsage, "table " + base + " has columns rowid, _rowid_ and oid");
}

std::string token_of(sqlite3* db, const std::string& table, const std::string& column) {
  if (!exists(db, "_smll_columns")) return {};
  Statement found(db, "SELECT token FROM main._smll_columns WHERE tbl = ? AND col = ?");
  return found.bind(table, column).step() ? found.text(0) : std::string();
}

Set set_of(sqlite3* db, std::int64_t id) {
  Statement found(
      db, "SELECT fingerprint, model, window, dictionary FROM main._smll_sets WHERE id = ?");
  if (!found.bind(id).step()) {
    throw Error(ErrorKind::kData, fmt::format("the database's _smll_sets has no row {}, with which "
                                              "texts were compressed",
                                              id));
  }
  return {number_of(found.text(0)), found.text(1), static_cast<int>(found.integer(2)),
          number_in(found, 3)};
}

std::int64_t id_of_set(sqlite3* db, const Engine& engine) {
  const ModelInfo info = engine.info();
  const std::string fingerprint = hex(info.fingerprint);
  const std::string dictionary =
      engine.dictionary() ? hex(engine.dictionary()->identity()) : std::string();
  Statement found(db,
                  "SELECT id FROM main._smll_sets WHERE fingerprint = ? AND window = ? AND "
                  "coalesce(dictionary, '') = ?");
  const std::int64_t window = info.window;
  if (found.bind(fingerprint, window, dictionary).step()) return found.integer(0);
  Statement add(db,
                "INSERT INTO main._smll_sets (fingerprint, model, window, dictionary) VALUES "
                "(?, ?, ?, nullif(?, '')) RETURNING id");
  const std::string name = printable(info.name);
  add.bind(fingerprint, name, window, dictionary).step();
  return add.integer(0);
}

void use_dictionary(sqlite3* db, const std::string& table, const std::string& column,
                    const Dictionary& dictionary) {
  const EnabledColumn before = enabled_column(db, table, column);
  Transaction transaction(db);
  store(db, dictionary);
  note_column(db, table, column, before.model, dictionary);
  transaction.commit();
}

std::optional<Bytes> stored_dictionary(sqlite3* db, std::uint64_t identity) {
  return stored_where(db, "identity = ?", hex(identity));
}

std::optional<Bytes> stored_dictionary_tagged(sqlite3* db, std::uint32_t tag) {
  return stored_where(db, "substr(identity, 1, 8) = ?", fmt::format("{:08x}", tag));
}

std::optional<Bytes> stored_dictionary_called(sqlite3* db, const std::string& name_or_identity) {
  return stored_where(db, "?1 IN (identity, name)", name_or_identity);
}

}  // namespace smll::sqlite
