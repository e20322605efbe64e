#include "smll/dictionary.h"

#include <utility>

#include "api/model_source.h"
#include "codec/dictionary.h"
#include "codec/dictionary_training.h"
#include "hub/dictionaries.h"
#include "smll/smll.h"

namespace smll {
namespace {

DictionaryInfo info_of(const codec::Dictionary& dictionary) {
  const bool for_any = dictionary.model() == format::ModelIdentity();
  return {dictionary.name(),
          dictionary.identity(),
          for_any ? 0 : dictionary.model().fingerprint(),
          dictionary.opening().size(),
          dictionary.sample().size(),
          dictionary.adapter().size()};
}

}  // namespace

Dictionary::Dictionary(std::shared_ptr<const codec::Dictionary> content)
    : content_(std::move(content)) {}

Dictionary Dictionary::train(std::span<const ByteView> samples, const TrainOptions& options,
                             const Model& model, TrainGain* gain) {
  const api::LoadedModelPtr loaded = model.source()->for_writing();
  const codec::TrainingResult result = codec::train_dictionary(
      samples, *loaded,
      {options.name, options.opening_bytes, options.sample_bytes, options.minutes, options.adapter},
      options.progress);
  if (gain) {
    *gain = {result.records, result.measured, result.raw_bytes, result.bytes_without,
             result.bytes_with};
  }
  return Dictionary(result.dictionary);
}

Dictionary Dictionary::load(const std::string& path) {
  return Dictionary(codec::Dictionary::load(path));
}

Dictionary Dictionary::find(const std::string& spec) {
  return Dictionary(hub::find_dictionary(spec));
}

Dictionary Dictionary::parse(ByteView file) { return Dictionary(codec::Dictionary::parse(file)); }

Bytes Dictionary::serialize() const { return content_->serialize(); }

void Dictionary::save(const std::string& path) const { content_->save(path); }

std::string Dictionary::keep() const { return hub::keep_dictionary(*content_).string(); }

std::uint64_t Dictionary::identity() const { return content_->identity(); }

const std::string& Dictionary::name() const { return content_->name(); }

DictionaryInfo Dictionary::info() const { return info_of(*content_); }

std::vector<DictionaryEntry> list_dictionaries() {
  std::vector<DictionaryEntry> entries;
  for (const hub::KeptDictionary& kept : hub::kept_dictionaries()) {
    entries.push_back({kept.path.string(),
                       kept.dictionary ? info_of(*kept.dictionary) : DictionaryInfo(),
                       kept.problem});
  }
  return entries;
}

}  // namespace smll
