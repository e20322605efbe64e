// What a table is made of, and the view and triggers that stand in its place.
#pragma once

#include <string>
#include <vector>

#include "statement.h"

namespace smll::sqlite {

struct ColumnShape {
  std::string name;
  std::string collation;
  std::string default_value;  // an SQL expression, or ""
  bool in_key = false;
  bool generated = false;
};

// `name` is a real table's. Columns that tables.h adds are left out.
std::vector<ColumnShape> shape_of(sqlite3* db, const std::string& name,
                                  const std::vector<std::string>& compressed);

// Throws Error(kUsage), with the reason, where a column's values cannot become other ones behind
// the back of what refers to them.
void check_table(sqlite3* db, const std::string& table);
void check_column(sqlite3* db, const std::string& name, const std::vector<ColumnShape>& shape,
                  const std::string& column);

// Statements that make the view of a table's name and its triggers.
std::vector<std::string> view_of(sqlite3* db, const std::string& table,
                                 const std::vector<ColumnShape>& shape,
                                 const std::vector<std::string>& compressed);

}  // namespace smll::sqlite
