// The dictionaries that the cache keeps, each under its identity, where reading finds those that
// archives name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "codec/dictionary.h"

namespace smll::hub {

using DictionaryPtr = std::shared_ptr<const codec::Dictionary>;

// A file of the cache.
struct KeptDictionary {
  std::filesystem::path path;
  DictionaryPtr dictionary;  // null where there is a problem
  std::string problem;
};

// "" when there is no cache.
std::filesystem::path dictionaries_directory();

// In the order of their names and identities; those with a problem last. Empty when the cache is
// not believed (cache.h).
std::vector<KeptDictionary> kept_dictionaries();

// Copies it into the cache, whole or not at all, and returns its path there. Throws Error(kModel)
// when the cache cannot be had and Error(kIo) when it cannot be written.
std::filesystem::path keep_dictionary(const codec::Dictionary& dictionary);

// The one of this identity, or null when the cache has none. Throws Error(kModel), with the file's
// name, when it is damaged, another one or not believed.
DictionaryPtr find_dictionary(std::uint64_t identity);

// The one that a person means: a file, or the name or identity of one in the cache. Throws
// Error(kModel) when there is none, or more than one of the name, and what Dictionary::load() does.
DictionaryPtr find_dictionary(const std::string& spec);

}  // namespace smll::hub
