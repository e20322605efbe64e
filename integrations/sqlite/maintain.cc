#include "maintain.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <span>
#include <vector>

#include "engines.h"
#include "smll/dictionary.h"
#include "smll/error.h"
#include "tables.h"

namespace smll::sqlite {
namespace {

using Clock = std::chrono::steady_clock;

// Rows of a batch. The first are few, as nothing is known of the speed.
constexpr std::size_t kFirstBatch = 64, kLargestBatch = 1024;
// Texts of a batch in memory, unless a single one is larger.
constexpr std::size_t kBatchBytes = std::size_t{4} << 20;
// What a batch should take: little is lost when it is stopped, and lanes are full most of the time.
constexpr double kBatchSeconds = 2;
// Texts to train with.
constexpr std::int64_t kSamples = 4096;
constexpr std::size_t kSampleBytes = std::size_t{8} << 20;
// A dictionary's sample is at most this part of the texts: it takes room in the database, too.
constexpr std::size_t kTextOfSample = 32;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

ByteView view(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <class Items>
std::vector<ByteView> views(const Items& items) {
  std::vector<ByteView> all;
  all.reserve(items.size());
  for (const auto& item : items) all.push_back(view(item.text));
  return all;
}

// Names of an enabled column's parts, quoted.
struct Names {
  Names(sqlite3* db, const std::string& table, const std::string& column)
      : base("main." + identifier(base_name(table))),
        row(rowid_name(db, base_name(table))),
        value(identifier(column)),
        state(identifier(state_name(column))) {}
  std::string base, row, value, state;
};

struct Waiting {
  std::int64_t row;
  std::string text;
};

// Triggers are the base table's own and wrote what is plain; nothing but this changes its form.
class Batches {
 public:
  Batches(sqlite3* db, const EnabledColumn& column)
      : db_(db), column_(column), names_(db, column.table, column.column) {}

  // False when nothing waits.
  bool one(std::size_t rows) {
    const std::vector<Waiting> waiting = take(rows);
    if (waiting.empty()) return false;
    if (!engine_) engine_ = engine_of(db_, column_);
    const std::vector<Bytes> archives = compress_all(db_, *engine_, views(waiting));
    Transaction transaction(db_);
    const std::int64_t set = id_of_set(db_, *engine_);
    // A row that was written since then has another text, or is gone, or waits no more.
    Statement put(db_, fmt::format("UPDATE {0} SET {1} = ?, {2} = ? WHERE {3} = ? AND {2} IS NULL "
                                   "AND {1} IS ?",
                                   names_.base, names_.value, names_.state, names_.row));
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      const auto& [row, text] = waiting[i];
      if (archives[i].size() < text.size()) {
        put.bind(archives[i], set, row, text).run();
      } else {
        put.bind(text, kStaysPlain, row, text).run();
      }
    }
    transaction.commit();
    return true;
  }

  // What is no text stays as it is.
  void pass_others() {
    Transaction transaction(db_);
    execute(db_, fmt::format("UPDATE {0} SET {1} = {2} WHERE {1} IS NULL AND typeof({3}) <> 'text'",
                             names_.base, names_.state, kStaysPlain, names_.value));
    transaction.commit();
  }

  std::int64_t left() {
    Statement count(
        db_, fmt::format("SELECT count(*) FROM {} WHERE {} IS NULL", names_.base, names_.state));
    count.step();
    return count.integer(0);
  }

 private:
  std::vector<Waiting> take(std::size_t rows) {
    std::vector<Waiting> waiting;
    std::size_t bytes = 0;
    Statement next(db_,
                   fmt::format("SELECT {}, {} FROM {} WHERE {} IS NULL AND typeof({}) = 'text' "
                               "LIMIT ?",
                               names_.row, names_.value, names_.base, names_.state, names_.value));
    next.bind(static_cast<std::int64_t>(rows));
    while (bytes < kBatchBytes && next.step()) {
      waiting.push_back({next.integer(0), next.text(1)});
      bytes += waiting.back().text.size();
    }
    return waiting;
  }

  sqlite3* db_;
  EnabledColumn column_;
  Names names_;
  EnginePtr engine_;
};

// How many rows take the time that a batch should take.
std::size_t next_size(std::size_t rows, double took, double remaining) {
  const double rate = static_cast<double>(rows) / std::max(took, 1e-3);
  const double wanted = rate * std::min(kBatchSeconds, remaining);
  return static_cast<std::size_t>(
      std::clamp(wanted, static_cast<double>(kFirstBatch), static_cast<double>(kLargestBatch)));
}

struct Samples {
  std::vector<Waiting> texts;
  std::size_t column_bytes = 0;  // of all texts that wait
};

// Every so manyth of the texts that wait, so that they are from all of the column.
Samples samples_of(sqlite3* db, const Names& names) {
  const std::string texts = fmt::format("FROM {} WHERE {} IS NULL AND typeof({}) = 'text'",
                                        names.base, names.state, names.value);
  Samples samples;
  Statement count(
      db, fmt::format("SELECT count(*), total(length(CAST({} AS BLOB))) {}", names.value, texts));
  count.step();
  const std::int64_t step = std::max<std::int64_t>(1, count.integer(0) / kSamples);
  samples.column_bytes = static_cast<std::size_t>(count.integer(1));
  std::size_t bytes = 0;
  Statement rows(db, fmt::format("SELECT {} {}", names.value, texts));
  for (std::int64_t i = 0; bytes < kSampleBytes && rows.step(); ++i) {
    if (i % step != 0) continue;
    samples.texts.push_back({i, rows.text(0)});
    bytes += samples.texts.back().text.size();
  }
  return samples;
}

}  // namespace

std::int64_t maintain(sqlite3* db, double seconds) {
  const Clock::time_point start = Clock::now();
  std::int64_t left = 0;
  for (const EnabledColumn& column : enabled_columns(db)) {
    Batches batches(db, column);
    if (batches.left() == 0) continue;
    batches.pass_others();
    std::size_t rows = kFirstBatch;
    while (seconds_since(start) < seconds) {
      const Clock::time_point began = Clock::now();
      if (!batches.one(rows)) break;
      rows = next_size(rows, seconds_since(began), seconds - seconds_since(start));
    }
    left += batches.left();
  }
  return left;
}

std::uint64_t train(sqlite3* db, const std::string& table_name, const std::string& column_name,
                    double minutes) {
  const EnabledColumn enabled = enabled_column(db, table_name, column_name);
  const Samples samples = samples_of(db, Names(db, enabled.table, enabled.column));
  Interruption interruption(db);
  TrainOptions options;
  options.name = enabled.table + "." + enabled.column;
  options.minutes = minutes;
  options.sample_bytes = std::min(options.sample_bytes, samples.column_bytes / kTextOfSample);
  options.progress = [&interruption](std::uint64_t, std::uint64_t) { interruption.check(); };
  const EnginePtr engine = engine_for(enabled.model, std::nullopt);
  const Dictionary dictionary =
      Dictionary::train(views(samples.texts), options, engine->compressor().model());
  use_dictionary(db, enabled.table, enabled.column, dictionary);
  return dictionary.identity();
}

void restore_rows(sqlite3* db, const std::string& table, const std::string& column) {
  const Names names(db, table, column);
  // What is plain again is not found again.
  Statement next(db, fmt::format("SELECT {}, {}, {} FROM {} WHERE {} > 0 LIMIT {}", names.row,
                                 names.value, names.state, names.base, names.state, kLargestBatch));
  Statement put(db, fmt::format("UPDATE {} SET {} = ?, {} = NULL WHERE {} = ?", names.base,
                                names.value, names.state, names.row));
  struct Row {
    std::int64_t row;
    Bytes archive;
  };
  while (true) {
    std::map<std::int64_t, std::vector<Row>> by_set;
    while (next.step()) by_set[next.integer(2)].push_back({next.integer(0), next.blob(1)});
    next.reset();
    if (by_set.empty()) return;
    for (const auto& [set, rows] : by_set) {
      const EnginePtr engine = engine_of(db, set_of(db, set));
      std::vector<ByteView> archives;
      archives.reserve(rows.size());
      for (const Row& row : rows) archives.emplace_back(row.archive);
      const std::vector<Bytes> texts = decompress_all(db, *engine, archives);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::string text(texts[i].begin(), texts[i].end());
        put.bind(text, rows[i].row).run();
      }
    }
  }
}

}  // namespace smll::sqlite
