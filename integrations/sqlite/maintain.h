// Compressing the rows that wait, in batches, and the way back.
#pragma once

#include <cstdint>
#include <string>

#include "statement.h"

namespace smll::sqlite {

// Compresses rows of all enabled columns, a transaction a batch, for so many seconds or until none
// waits. Returns how many wait still. Can be stopped at any moment: what is committed stays.
std::int64_t maintain(sqlite3* db, double seconds);

// Trains a dictionary for a column from texts of it that are not compressed yet, and uses it for
// what is compressed from now on. Returns its identity. TrainOptions::minutes says how long.
std::uint64_t train(sqlite3* db, const std::string& table, const std::string& column,
                    double minutes);

// Makes all rows of an enabled column plain. Within the caller's transaction.
void restore_rows(sqlite3* db, const std::string& table, const std::string& column);

}  // namespace smll::sqlite
