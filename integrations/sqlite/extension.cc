// The entry point of SQLite's loadable extension.
#include <sqlite3ext.h>

#include "functions.h"
#include "smll/smll.h"

SQLITE_EXTENSION_INIT1

namespace {

// 3.37: pragma_table_list, DROP COLUMN and RETURNING.
constexpr int kOldestSqlite = 3037000;

}  // namespace

// SQLite calls it by the file's name, smll_sqlite.
extern "C" __attribute__((visibility("default"))) int sqlite3_smllsqlite_init(
    sqlite3* db, char** message, const sqlite3_api_routines* api) {
  SQLITE_EXTENSION_INIT2(api);
  if (sqlite3_libversion_number() < kOldestSqlite) {
    *message =
        sqlite3_mprintf("smll needs SQLite 3.37 or newer, and this is %s", sqlite3_libversion());
    return SQLITE_ERROR;
  }
  const int code = smll::sqlite::register_functions(db);
  // Models and their threads outlive a connection, and so must the code.
  return code == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : code;
}
