#include "table_shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "smll/error.h"
#include "tables.h"

namespace smll::sqlite {
namespace {

using Names = std::vector<std::string>;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return c < 128 ? static_cast<char>(std::tolower(c)) : c; });
  return text;
}

bool has(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void refuse(const std::string& table, const std::string& why) {
  throw Error(ErrorKind::kUsage, fmt::format("table {} cannot be compressed: {}", table, why));
}

std::string collation_of(sqlite3* db, const std::string& table, const std::string& column) {
  const char* collation = nullptr;
  const int code = sqlite3_table_column_metadata(db, "main", table.c_str(), column.c_str(), nullptr,
                                                 &collation, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw SqliteError(db);
  return collation == nullptr ? "BINARY" : collation;
}

// What the view shows of a column.
std::string shown(sqlite3* db, const std::string& table, const ColumnShape& column,
                  const Names& compressed) {
  const std::string name = identifier(column.name);
  if (!has(compressed, column.name)) return name;
  const std::string state = identifier(state_name(column.name));
  const std::string text = fmt::format(
      "CASE WHEN {0} > 0 THEN smll_row({1}, {2}, {3}, {0}, {4}, {5}) ELSE {4} END", state,
      literal(table), literal(column.name), literal(token_of(db, table, column.name)), name,
      rowid_name(db, base_name(table)));
  return fmt::format("({}){} AS {}", text,
                     column.collation == "BINARY" ? "" : " COLLATE " + identifier(column.collation),
                     name);
}

// Triggers of one table: what stands in them all.
struct Writer {
  std::string table, base;
  std::string same_row;  // finds a changed or deleted row

  std::string trigger(const std::string& kind, const std::string& event,
                      const std::string& body) const {
    return fmt::format("CREATE TRIGGER {} INSTEAD OF {} ON {} BEGIN {}; END",
                       identifier(base + "_" + kind), event, identifier(table), body);
  }
};

Writer writer_of(const std::string& table, const std::vector<ColumnShape>& shape) {
  Names same;
  for (const ColumnShape& column : shape) {
    if (column.in_key) same.push_back(fmt::format("{0} IS OLD.{0}", identifier(column.name)));
  }
  return {table, base_name(table), fmt::format("{}", fmt::join(same, " AND "))};
}

std::string insert_trigger(const Writer& writer, const std::vector<ColumnShape>& shape) {
  Names names, values;
  for (const ColumnShape& column : shape) {
    if (column.generated) continue;
    names.push_back(identifier(column.name));
    // A view's columns have no defaults: what was left out is NULL.
    values.push_back(column.default_value.empty()
                         ? "NEW." + names.back()
                         : fmt::format("coalesce(NEW.{}, {})", names.back(), column.default_value));
  }
  return writer.trigger("insert", "INSERT",
                        fmt::format("INSERT INTO {} ({}) VALUES ({})", identifier(writer.base),
                                    fmt::join(names, ", "), fmt::join(values, ", ")));
}

// A text that stays the same stays compressed.
std::string update_trigger(const Writer& writer, const std::vector<ColumnShape>& shape,
                           const Names& compressed) {
  Names changes;
  for (const ColumnShape& column : shape) {
    if (column.generated) continue;
    const std::string name = identifier(column.name);
    if (!has(compressed, column.name)) {
      changes.push_back(fmt::format("{0} = NEW.{0}", name));
      continue;
    }
    const std::string same = fmt::format(
        "typeof(NEW.{0}) = typeof(OLD.{0}) AND NEW.{0} COLLATE BINARY IS OLD.{0}", name);
    changes.push_back(fmt::format("{0} = CASE WHEN {1} THEN {0} ELSE NEW.{0} END", name, same));
    changes.push_back(
        fmt::format("{0} = CASE WHEN {1} THEN {0} END", identifier(state_name(column.name)), same));
  }
  return writer.trigger("update", "UPDATE",
                        fmt::format("UPDATE {} SET {} WHERE {}", identifier(writer.base),
                                    fmt::join(changes, ", "), writer.same_row));
}

}  // namespace

std::vector<ColumnShape> shape_of(sqlite3* db, const std::string& name, const Names& compressed) {
  Names added;
  added.reserve(compressed.size());
  for (const std::string& column : compressed) added.push_back(state_name(column));
  std::vector<ColumnShape> shape;
  Statement columns(db,
                    "SELECT name, pk, hidden, dflt_value FROM pragma_table_xinfo(?, 'main') "
                    "ORDER BY cid");
  columns.bind(name);
  while (columns.step()) {
    ColumnShape column;
    column.name = columns.text(0);
    if (has(added, column.name)) continue;
    column.in_key = columns.integer(1) > 0;
    column.generated = columns.integer(2) > 1;
    column.default_value = columns.text(3);
    column.collation = collation_of(db, name, column.name);
    shape.push_back(column);
  }
  return shape;
}

void check_table(sqlite3* db, const std::string& table) {
  Statement kind(
      db, "SELECT type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?");
  kind.bind(table);
  if (!kind.step()) refuse(table, "the main database has no table of this name");
  if (kind.text(0) != "table" || table.starts_with("sqlite_"))
    refuse(table, "it is a " + kind.text(0));
  if (kind.integer(1) != 0) refuse(table, "it is WITHOUT ROWID");
  if (kind.integer(2) != 0) refuse(table, "it is STRICT, and compressed texts are blobs");
  Statement encoding(db, "PRAGMA main.encoding");
  encoding.step();
  if (encoding.text(0) != "UTF-8") refuse(table, "the database's texts are " + encoding.text(0));
  Statement triggers(db,
                     "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND "
                     "tbl_name = ? COLLATE NOCASE");
  triggers.bind(table);
  if (triggers.step()) {
    refuse(table, fmt::format("its trigger {} would see compressed texts; drop it before",
                              triggers.text(0)));
  }
}

void check_column(sqlite3* db, const std::string& name, const std::vector<ColumnShape>& shape,
                  const std::string& column) {
  bool found = false, has_key = false;
  for (const ColumnShape& each : shape) {
    has_key = has_key || each.in_key;
    if (each.name != column) continue;
    found = true;
    if (each.in_key) refuse(name, "column " + column + " is part of its primary key");
    if (each.generated) refuse(name, "column " + column + " is generated");
  }
  if (!found) refuse(name, "it has no column " + column);
  if (!has_key) refuse(name, "it has no primary key");
  Statement foreign(db, "SELECT 1 FROM pragma_foreign_key_list(?, 'main') WHERE \"from\" = ?");
  if (foreign.bind(name, column).step()) refuse(name, "column " + column + " is a foreign key");
  // An index's condition and expressions are only to be had as text; rather one too many.
  Statement indexes(db,
                    "SELECT l.name, coalesce(s.sql, ''), EXISTS(SELECT 1 FROM "
                    "pragma_index_info(l.name, 'main') i WHERE i.name = ?2) "
                    "FROM pragma_index_list(?1, 'main') l LEFT JOIN main.sqlite_schema s "
                    "ON s.type = 'index' AND s.name = l.name WHERE l.name NOT LIKE '\\_%\\_smll' "
                    "ESCAPE '\\'");
  indexes.bind(name, column);
  while (indexes.step()) {
    if (indexes.integer(2) != 0 ||
        lower(indexes.text(1)).find(lower(column)) != std::string::npos) {
      refuse(name, fmt::format("its index {} is on column {}, where compressed texts would stand",
                               indexes.text(0), column));
    }
  }
}

std::vector<std::string> view_of(sqlite3* db, const std::string& table,
                                 const std::vector<ColumnShape>& shape, const Names& compressed) {
  Names columns;
  columns.reserve(shape.size());
  for (const ColumnShape& column : shape) columns.push_back(shown(db, table, column, compressed));
  const Writer writer = writer_of(table, shape);
  return {fmt::format("CREATE VIEW {} AS SELECT {} FROM {}", identifier(table),
                      fmt::join(columns, ", "), identifier(writer.base)),
          insert_trigger(writer, shape), update_trigger(writer, shape, compressed),
          writer.trigger(
              "delete", "DELETE",
              fmt::format("DELETE FROM {} WHERE {}", identifier(writer.base), writer.same_row))};
}

}  // namespace smll::sqlite
