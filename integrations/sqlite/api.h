// SQLite's interface for loadable extensions; extension.cc defines the pointer that its macros go
// through.
#pragma once

#include <sqlite3ext.h>

SQLITE_EXTENSION_INIT3
