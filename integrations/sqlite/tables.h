// Tables whose texts are compressed behind a view of the table's name.
//
// smll_enable("t", "c") renames t to _t_smll, adds the column _c_smll to it, and makes the view t
// with triggers that write. In _c_smll stands what c holds:
//   NULL  what was written, not yet looked at
//   0     what was written; compressing does not make it smaller, or it is no text
//   n     the text, compressed with set n of _smll_sets
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engines.h"
#include "statement.h"

namespace smll::sqlite {

inline constexpr std::int64_t kStaysPlain = 0;

std::string base_name(const std::string& table);    // the renamed table's
std::string state_name(const std::string& column);  // the added column's

// Throws Error(kUsage) where the table or column cannot be compressed, and says why. `dictionary`
// and `model` are what a person means, "" for none and for the default model. A column that is
// enabled already takes them for the rows that are compressed from now on.
void enable(sqlite3* db, const std::string& table, const std::string& column,
            const std::string& dictionary, const std::string& model);

// Restores all texts and, where it was the table's last such column, the table.
void disable(sqlite3* db, const std::string& table, const std::string& column);

// A column whose texts are compressed, and with what.
struct EnabledColumn {
  std::string table, column, model;
  std::optional<std::uint64_t> dictionary;
};

std::vector<EnabledColumn> enabled_columns(sqlite3* db);
// Throws Error(kUsage) where it is not enabled.
EnabledColumn enabled_column(sqlite3* db, const std::string& table, const std::string& column);
EnginePtr engine_of(sqlite3* db, const EnabledColumn& column);

// Stands in the column's view, so that the view of an attached database is not read with the main
// database's sets. "" where the column is not enabled.
std::string token_of(sqlite3* db, const std::string& table, const std::string& column);

// The name by which a statement reaches rows' numbers: one that no column has.
std::string rowid_name(sqlite3* db, const std::string& base);

// Throws Error(kData) where there is none.
Set set_of(sqlite3* db, std::int64_t id);
std::int64_t id_of_set(sqlite3* db, const Engine& engine);  // a new one where needed

// Keeps it in the database and has new rows of the column compressed with it.
void use_dictionary(sqlite3* db, const std::string& table, const std::string& column,
                    const Dictionary& dictionary);

// Files of dictionaries in the database.
std::optional<Bytes> stored_dictionary(sqlite3* db, std::uint64_t identity);
std::optional<Bytes> stored_dictionary_tagged(sqlite3* db, std::uint32_t tag);
std::optional<Bytes> stored_dictionary_called(sqlite3* db, const std::string& name_or_identity);

}  // namespace smll::sqlite
