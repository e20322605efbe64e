#include "smll/dictionary.h"

#include <utility>

#include "api/internals.h"
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

Dictionary::Dictionary(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Dictionary Dictionary::train(std::span<const ByteView> samples, const TrainOptions& options,
                             const Model& model, TrainGain* gain) {
  const api::LoadedModelPtr loaded = Internals::source(model).for_writing();
  const codec::TrainingResult result =
      codec::train_dictionary(samples, *loaded,
                              {options.name, options.opening_bytes, options.sample_bytes,
                               options.minutes, options.adapter, options.lora, options.lora_scale},
                              options.progress);
  if (gain) {
    *gain = {result.records, result.measured, result.raw_bytes, result.bytes_without,
             result.bytes_with};
  }
  return Internals::dictionary(result.dictionary);
}

Dictionary Dictionary::load(const std::string& path) {
  return Internals::dictionary(codec::Dictionary::load(path));
}

Dictionary Dictionary::find(const std::string& spec) {
  return Internals::dictionary(hub::find_dictionary(spec));
}

Dictionary Dictionary::parse(ByteView file) {
  return Internals::dictionary(codec::Dictionary::parse(file));
}

Bytes Dictionary::serialize() const { return state_->content->serialize(); }

void Dictionary::save(const std::string& path) const { state_->content->save(path); }

std::string Dictionary::keep() const { return hub::keep_dictionary(*state_->content).string(); }

std::uint64_t Dictionary::identity() const { return state_->content->identity(); }

const std::string& Dictionary::name() const { return state_->content->name(); }

DictionaryInfo Dictionary::info() const { return info_of(*state_->content); }

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
