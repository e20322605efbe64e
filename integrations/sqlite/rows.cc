#include "rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "smll/error.h"
#include "tables.h"

namespace smll::sqlite {
namespace {

// Of each half, texts and keys together.
constexpr std::size_t kCacheBytes = std::size_t{8} << 20;
// Rows ahead. More than the lanes that two predictors feed at once gain nothing.
constexpr std::size_t kFirstWidth = 8, kLargestWidth = 64;
// A statement whose rows are scattered stops guessing.
constexpr int kMaxFailures = 2;

std::string key_of(const Set& set, ByteView archive) {
  std::string key = hex(set.fingerprint) + hex(set.dictionary.value_or(0));
  key += fmt::format("{:x}{}", set.window, set.dictionary ? "+" : "-");
  key.append(archive.begin(), archive.end());
  return key;
}

// What stands in the rows before or behind one.
std::vector<Bytes> neighbours(sqlite3* db, const RowValue& value, bool ascending,
                              std::size_t count) {
  std::vector<Bytes> archives;
  if (count == 0) return archives;
  const std::string base = base_name(value.table);
  Statement next(db,
                 fmt::format("SELECT {0} FROM main.{1} WHERE {2} {3} ? AND {4} = ? ORDER BY {2} "
                             "{5} LIMIT ?",
                             identifier(value.column), identifier(base), rowid_name(db, base),
                             ascending ? ">" : "<", identifier(state_name(value.column)),
                             ascending ? "ASC" : "DESC"));
  next.bind(value.row, value.set, static_cast<std::int64_t>(count));
  while (next.step()) archives.push_back(next.blob(0));
  return archives;
}

}  // namespace

const std::string* TextCache::find(const std::string& key) {
  if (const auto found = newer_.find(key); found != newer_.end()) return &found->second;
  if (const auto found = older_.find(key); found != older_.end()) return &found->second;
  return nullptr;
}

void TextCache::put(const std::string& key, std::string text) {
  newer_bytes_ += key.size() + text.size();
  newer_.insert_or_assign(key, std::move(text));
  if (newer_bytes_ <= kCacheBytes) return;
  older_ = std::exchange(newer_, {});
  newer_bytes_ = 0;
}

std::size_t Ahead::next(std::int64_t row) {
  if (!begun_) {
    begun_ = true;
  } else {
    ascending_ = row > last_;
    if (hits_ * 2 < planned_) {
      failures_ += 1;
      width_ = 0;
    } else {
      width_ = std::clamp(width_ * 2, kFirstWidth, kLargestWidth);
    }
    if (failures_ >= kMaxFailures) width_ = 0;
  }
  last_ = row;
  planned_ = hits_ = 0;
  return width_;
}

void Ahead::hit(std::int64_t row) {
  begun_ = true;
  last_ = row;
  hits_ += 1;
}

std::string text_of_row(sqlite3* db, const RowValue& value, TextCache& cache, Ahead& ahead) {
  if (token_of(db, value.table, value.column) != value.token) {
    throw Error(ErrorKind::kUsage, "the table " + value.table +
                                       " is of an attached database: compressed tables are read "
                                       "where their database is the main one");
  }
  const Set set = set_of(db, value.set);
  const std::string key = key_of(set, value.archive);
  if (const std::string* text = cache.find(key)) {
    ahead.hit(value.row);
    return *text;
  }
  const std::size_t width = ahead.next(value.row);
  std::vector<Bytes> others = neighbours(db, value, ahead.ascending(), width);
  std::vector<std::string> keys = {key};
  std::vector<ByteView> archives = {value.archive};
  for (const Bytes& other : others) {
    std::string other_key = key_of(set, other);
    if (cache.find(other_key) != nullptr) continue;
    keys.push_back(std::move(other_key));
    archives.emplace_back(other);
  }
  ahead.planned(archives.size() - 1);
  const EnginePtr engine = engine_of(db, set);
  std::vector<Result> results = decompress_each(db, *engine, archives);
  // Errors of others are told when they are asked for.
  if (results[0].error) throw Error(*results[0].error);
  std::string first;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].error) continue;
    std::string text(results[i].bytes.begin(), results[i].bytes.end());
    if (i == 0) first = text;
    cache.put(keys[i], std::move(text));
  }
  return first;
}

}  // namespace smll::sqlite
