// The SQL functions.
#pragma once

#include "statement.h"

namespace smll::sqlite {

// Makes smll's functions known to the connection. Returns SQLite's code.
int register_functions(sqlite3* db);

}  // namespace smll::sqlite
