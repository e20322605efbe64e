#include "engines.h"

#include <fmt/format.h>

#include <cstdlib>
#include <deque>
#include <mutex>
#include <span>
#include <utility>

#include "smll/dictionary.h"
#include "smll/models.h"
#include "tables.h"

namespace smll::sqlite {
namespace {

// A model takes its file's size in memory, whatever the dictionaries that go with it.
constexpr std::size_t kEngines = 8;

struct Key {
  std::string model;
  std::string environment;  // gives "" its meaning
  std::optional<std::uint64_t> dictionary;
  int window;
  bool operator==(const Key&) const = default;
};

struct Entry {
  Key key;
  EnginePtr engine;
};

// Those used last. Never destroyed: other threads may use them when the process ends.
struct Engines {
  std::mutex mutex;
  std::deque<Entry> entries;
};

Engines& engines() {
  static auto* all = new Engines;
  return *all;
}

std::optional<std::uint64_t> identity(const std::optional<Dictionary>& dictionary) {
  if (!dictionary) return std::nullopt;
  return dictionary->identity();
}

// Where an engine in use satisfies `fits`, it comes to the front.
template <class Fits>
EnginePtr find_used(const Fits& fits) {
  Engines& all = engines();
  const std::lock_guard lock(all.mutex);
  for (auto entry = all.entries.begin(); entry != all.entries.end(); ++entry) {
    if (!fits(*entry)) continue;
    const Entry found = *entry;
    all.entries.erase(entry);
    all.entries.push_front(found);
    return found.engine;
  }
  return nullptr;
}

bool fits(const Set& set, const Engine& engine) {
  if (identity(engine.dictionary()) != set.dictionary) return false;
  const std::optional<ModelInfo> info = engine.compressor().model().info();
  return info && info->fingerprint == set.fingerprint && info->window == set.window;
}

std::optional<Dictionary> find_dictionary(sqlite3* db, std::uint64_t identity) {
  if (const std::optional<Bytes> file = stored_dictionary(db, identity)) {
    return Dictionary::parse(*file);
  }
  for (const DictionaryEntry& entry : list_dictionaries()) {
    if (entry.problem.empty() && entry.info.identity == identity) {
      return Dictionary::load(entry.path);
    }
  }
  return std::nullopt;
}

Limits limits_of(sqlite3* db) {
  Limits limits;
  limits.max_bytes = static_cast<std::uint64_t>(sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1));
  return limits;
}

std::vector<Bytes> bytes_of(std::vector<Result> results) {
  std::vector<Bytes> bytes;
  bytes.reserve(results.size());
  for (Result& result : results) {
    if (result.error) throw Error(*result.error);
    bytes.push_back(std::move(result.bytes));
  }
  return bytes;
}

ModelOptions options_for(const std::string& model, const std::optional<Dictionary>& dictionary,
                         int window) {
  ModelOptions options;
  options.model = model;
  options.window = window;
  options.dictionary = dictionary;
  options.notice = [](const std::string& text) {
    sqlite3_log(SQLITE_NOTICE, "smll: %s", text.c_str());
  };
  return options;
}

}  // namespace

Engine::Engine(const std::string& model, std::optional<Dictionary> dictionary, int window)
    : dictionary_(std::move(dictionary)),
      compressor_(Model{options_for(model, dictionary_, window)}) {}

ModelInfo Engine::info() const {
  compressor_.model().load();
  return compressor_.model().info().value();
}

EnginePtr engine_for(const std::string& model, const std::optional<Dictionary>& dictionary,
                     int window) {
  const char* environment = std::getenv("SMLL_MODEL");
  const Key key{model, model.empty() && environment != nullptr ? environment : "",
                identity(dictionary), window};
  if (EnginePtr used = find_used([&](const Entry& entry) { return entry.key == key; })) return used;
  auto engine = std::make_shared<const Engine>(model, dictionary, window);
  Engines& all = engines();
  const std::lock_guard lock(all.mutex);
  all.entries.push_front({key, engine});
  if (all.entries.size() > kEngines) all.entries.pop_back();
  return engine;
}

EnginePtr engine_of(sqlite3* db, const Set& set) {
  const auto fits_set = [&](const Entry& entry) { return fits(set, *entry.engine); };
  if (EnginePtr used = find_used(fits_set)) return used;
  std::optional<Dictionary> dictionary;
  if (set.dictionary) {
    dictionary = find_dictionary(db, *set.dictionary);
    if (!dictionary) {
      throw Error(
          ErrorKind::kModel,
          fmt::format("the dictionary {} that rows were compressed with is neither in the "
                      "database nor kept on this machine; add its file with `smll dict add`",
                      hex(*set.dictionary)));
    }
  }
  EnginePtr engine = engine_for(find_used_model(set.fingerprint), dictionary, set.window);
  if (engine->info().fingerprint != set.fingerprint) {
    throw Error(ErrorKind::kModel,
                fmt::format("rows were compressed with the model {} (fingerprint {}), which is not "
                            "known on this machine; name its file in SMLL_MODEL",
                            set.model, hex(set.fingerprint)));
  }
  return engine;
}

std::uint32_t tag_of(const Dictionary& dictionary) {
  return static_cast<std::uint32_t>(dictionary.identity() >> 32);
}

Dictionary dictionary_named(sqlite3* db, std::uint32_t tag) {
  const auto fits_tag = [tag](const Entry& entry) {
    return entry.engine->dictionary() && tag_of(*entry.engine->dictionary()) == tag;
  };
  if (EnginePtr used = find_used(fits_tag)) return *used->dictionary();
  if (const std::optional<Bytes> file = stored_dictionary_tagged(db, tag)) {
    return Dictionary::parse(*file);
  }
  for (const DictionaryEntry& entry : list_dictionaries()) {
    if (entry.problem.empty() && entry.info.identity >> 32 == tag) {
      return Dictionary::load(entry.path);
    }
  }
  throw Error(ErrorKind::kModel,
              fmt::format("the dictionary {:08x}... is neither in the database nor kept on this "
                          "machine; add its file with `smll dict add`",
                          tag));
}

Dictionary dictionary_meant(sqlite3* db, const std::string& spec) {
  if (const std::optional<Bytes> file = stored_dictionary_called(db, spec)) {
    return Dictionary::parse(*file);
  }
  return Dictionary::find(spec);
}

std::string hex(std::uint64_t number) { return fmt::format("{:016x}", number); }

std::vector<Bytes> compress_all(sqlite3* db, const Engine& engine,
                                std::span<const ByteView> texts) {
  Interruption interruption(db);
  return bytes_of(engine.compressor().compress_many(
      texts, [&interruption](const Stats&) { interruption.check(); }));
}

std::vector<Result> decompress_each(sqlite3* db, const Engine& engine,
                                    std::span<const ByteView> archives) {
  Interruption interruption(db);
  return engine.compressor().decompress_many(
      archives, limits_of(db), [&interruption](const Stats&) { interruption.check(); });
}

std::vector<Bytes> decompress_all(sqlite3* db, const Engine& engine,
                                  std::span<const ByteView> archives) {
  return bytes_of(decompress_each(db, engine, archives));
}

}  // namespace smll::sqlite
