// The models and dictionaries of this process: loaded once for all of its connections.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "smll/smll.h"
#include "statement.h"

namespace smll::sqlite {

// A model with or without a dictionary. Used from many threads.
class Engine {
 public:
  Engine(const std::string& model, std::optional<Dictionary> dictionary, int window);

  const Compressor& compressor() const { return compressor_; }
  const std::optional<Dictionary>& dictionary() const { return dictionary_; }
  ModelInfo info() const;  // loads the model

 private:
  std::optional<Dictionary> dictionary_;
  Compressor compressor_;
};

using EnginePtr = std::shared_ptr<const Engine>;

// `model` is what a person means: a path or a name, or "" for the default one; `window` in tokens.
EnginePtr engine_for(const std::string& model, const std::optional<Dictionary>& dictionary,
                     int window = kDefaultWindow);

// What rows were compressed with: ids of it stand in a table's rows.
struct Set {
  std::uint64_t fingerprint = 0;
  std::string model;  // its name, for people
  int window = 0;     // tokens
  std::optional<std::uint64_t> dictionary;
};

// The engine of a set, whose dictionary the database has or this machine keeps. Throws
// Error(kModel) where model or dictionary is not here.
EnginePtr engine_of(sqlite3* db, const Set& set);

// The dictionary whose identity begins with these 32 bits, of the database, of those in use or of
// those that this machine keeps. Throws Error(kModel) where there is none.
Dictionary dictionary_named(sqlite3* db, std::uint32_t tag);
std::uint32_t tag_of(const Dictionary& dictionary);

// The dictionary that a person means, the database's ones included.
Dictionary dictionary_meant(sqlite3* db, const std::string& spec);

// Hexadecimal digits, as `smll dict` shows identities.
std::string hex(std::uint64_t number);

// The items' bytes, or the first error. Ends when the statement is interrupted.
std::vector<Bytes> compress_all(sqlite3* db, const Engine& engine, std::span<const ByteView> texts);
std::vector<Bytes> decompress_all(sqlite3* db, const Engine& engine,
                                  std::span<const ByteView> archives);
// The same, with errors in their items' places.
std::vector<Result> decompress_each(sqlite3* db, const Engine& engine,
                                    std::span<const ByteView> archives);

}  // namespace smll::sqlite
