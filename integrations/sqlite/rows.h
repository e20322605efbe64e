// Texts of compressed rows: decoded alone, or many at a time where a statement reads one after
// another.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engines.h"
#include "statement.h"

namespace smll::sqlite {

// Texts that were decoded lately, by what they were decoded from; so nothing in it can be outdated.
class TextCache {
 public:
  // nullptr where it is not there; valid until the next put().
  const std::string* find(const std::string& key);
  void put(const std::string& key, std::string text);

 private:
  using Texts = std::unordered_map<std::string, std::string>;

  // The older half goes when the newer one is full.
  Texts newer_, older_;
  std::size_t newer_bytes_ = 0;
};

// How far to read ahead in one statement: as far as rows that were read ahead were wanted.
class Ahead {
 public:
  // A row was asked for and is not decoded: how many that follow it to decode as well.
  std::size_t next(std::int64_t row);
  void planned(std::size_t rows) { planned_ = rows; }
  void hit(std::int64_t row);
  bool ascending() const { return ascending_; }

 private:
  bool begun_ = false, ascending_ = true;
  std::int64_t last_ = 0;
  std::size_t width_ = 0, planned_ = 0, hits_ = 0;
  int failures_ = 0;
};

// A compressed value of a table's row.
struct RowValue {
  std::string table, column;
  std::string token;  // of the column, as the view has it
  std::int64_t set = 0;
  ByteView archive;
  std::int64_t row = 0;
};

// The row's text. Throws as Compressor::decompress does, and Error(kUsage) for another database's
// view.
std::string text_of_row(sqlite3* db, const RowValue& value, TextCache& cache, Ahead& ahead);

}  // namespace smll::sqlite
