#include "hub/dictionaries.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "hub/cache.h"
#include "smll/error.h"

namespace smll::hub {
namespace {

namespace fs = std::filesystem;

constexpr char kExtension[] = ".smlld";
constexpr std::size_t kDigits = 16;

std::optional<std::uint64_t> identity_of(const std::string& text) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != kDigits || !std::all_of(text.begin(), text.end(), is_digit)) {
    return std::nullopt;
  }
  return std::stoull(text, nullptr, 16);
}

fs::path path_of(std::uint64_t identity) {
  return dictionaries_directory() / (codec::identity_text(identity) + kExtension);
}

// The dictionary in the cache's file of this identity. Throws Error(kModel).
DictionaryPtr load_kept(const fs::path& path, std::uint64_t identity) {
  if (const std::string problem = distrust(path); !problem.empty()) {
    throw Error(ErrorKind::kModel, "a dictionary is not used, as " + problem);
  }
  DictionaryPtr dictionary;
  try {
    dictionary = codec::Dictionary::load(path.string());
  } catch (const Error& error) {
    throw Error(ErrorKind::kModel, std::string(error.what()) + "; add it anew (smll dict add)");
  }
  if (dictionary->identity() != identity) {
    throw Error(ErrorKind::kModel, path.string() + " holds another dictionary, " +
                                       codec::identity_text(dictionary->identity()) +
                                       "; remove it and add the right one (smll dict add)");
  }
  return dictionary;
}

KeptDictionary kept_at(const fs::path& path, std::uint64_t identity) {
  try {
    return {path, load_kept(path, identity), ""};
  } catch (const Error& error) {
    return {path, nullptr, error.what()};
  }
}

auto order_of(const KeptDictionary& kept) {
  return std::tuple(kept.dictionary == nullptr, kept.dictionary ? kept.dictionary->name() : "",
                    kept.path);
}

DictionaryPtr find_named(const std::string& name) {
  std::vector<DictionaryPtr> named;
  for (const KeptDictionary& kept : kept_dictionaries()) {
    if (kept.dictionary && kept.dictionary->name() == name) named.push_back(kept.dictionary);
  }
  if (named.empty()) return nullptr;
  if (named.size() == 1) return named.front();
  std::string identities;
  for (const DictionaryPtr& each : named) {
    identities += (identities.empty() ? "" : ", ") + codec::identity_text(each->identity());
  }
  throw Error(ErrorKind::kModel, "the cache has several dictionaries of the name " + name +
                                     "; name one by its identity: " + identities);
}

}  // namespace

fs::path dictionaries_directory() {
  const fs::path cache = cache_directory();
  return cache.empty() ? cache : cache / kDictionariesDirectory;
}

std::vector<KeptDictionary> kept_dictionaries() {
  std::vector<KeptDictionary> kept;
  if (!cache_problem().empty()) return kept;
  std::error_code error;
  for (auto entry = fs::directory_iterator(dictionaries_directory(), error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    const auto identity = identity_of(path.stem().string());
    if (identity && path.extension() == kExtension) kept.push_back(kept_at(path, *identity));
  }
  std::ranges::sort(kept, {}, order_of);
  return kept;
}

fs::path keep_dictionary(const codec::Dictionary& dictionary) {
  make_cache();
  const fs::path path = path_of(dictionary.identity());
  dictionary.save(path.string());
  return path;
}

DictionaryPtr find_dictionary(std::uint64_t identity) {
  const fs::path path = path_of(identity);
  std::error_code error;
  if (cache_directory().empty() || !fs::exists(path, error)) return nullptr;
  if (const std::string problem = cache_problem(); !problem.empty()) {
    throw Error(ErrorKind::kModel, problem);
  }
  return load_kept(path, identity);
}

DictionaryPtr find_dictionary(const std::string& spec) {
  std::error_code error;
  if (fs::exists(spec, error)) return codec::Dictionary::load(spec);
  if (DictionaryPtr named = find_named(spec)) return named;
  if (const auto identity = identity_of(spec)) {
    if (DictionaryPtr found = find_dictionary(*identity)) return found;
  }
  throw Error(ErrorKind::kModel, "there is no dictionary " + spec +
                                     ": neither a file nor one in the cache (smll dict list shows "
                                     "those)");
}

}  // namespace smll::hub
