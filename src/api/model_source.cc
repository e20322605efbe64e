#include "api/model_source.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "api/internals.h"
#include "codec/dictionary.h"
#include "hub/cache.h"
#include "hub/dictionaries.h"
#include "hub/download.h"
#include "hub/registry.h"
#include "lm/exact/cuda/choice.h"
#include "lm/exact/engine.h"
#include "smll/models.h"

namespace smll::api {
namespace {

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string environment_model() {
  const char* value = std::getenv("SMLL_MODEL");
  return value ? value : "";
}

// What a person calls the model of a record.
std::string title(const format::ModelRecord& record) {
  const std::string name = ModelSource::name_of(record);
  const std::string fingerprint = "fingerprint " + hex(record.fingerprint);
  return name.empty() ? "the model with " + fingerprint
                      : "the model " + name + " (" + fingerprint + ")";
}

std::string how_to_get(const format::ModelRecord& record) {
  if (const hub::KnownModel* known = hub::find_known(record.number)) {
    return std::string("get it with: smll models pull ") + known->name;
  }
  return "give its file with --model PATH, or get it with: smll models pull hf:REPO:GLOB";
}

// Whether one loaded model serves for both; threads and instruction set are a source's own.
bool same_set_up(const codec::LoadOptions& a, const codec::LoadOptions& b) {
  const auto identity = [](const codec::LoadOptions& options) {
    return options.dictionary ? std::optional(options.dictionary->identity()) : std::nullopt;
  };
  return a.backend == b.backend && a.window == b.window && a.learns == b.learns &&
         identity(a) == identity(b);
}

}  // namespace

static_assert(format::kMinWindow == exact::kMinWindow &&
              format::kMaxExactWindow == exact::kMaxWindow);

ModelSource::ModelSource(ModelOptions options) : options_(std::move(options)) {
  exact::cuda::check_choice(options_.device);
  if (options_.learns && options_.backend != Backend::kExact) {
    throw Error(ErrorKind::kUsage, "only the exact backend's models learn");
  }
  if (options_.dictionary && options_.backend != Backend::kExact) {
    throw Error(ErrorKind::kUsage, "only the exact backend can use a dictionary");
  }
}

LoadedModelPtr ModelSource::own(bool may_download) {
  {
    const std::lock_guard lock(mutex_);
    if (own_) return own_;
  }
  const hub::KnownModel& standard = hub::known_models().front();
  if (may_download && is_default() && !hub::is_present(standard) && hub::cache_problem().empty()) {
    notice(std::string("getting the default model ") + standard.name + " (" +
           std::to_string(hub::download_size(standard) / 1000000) + " MB, once), into " +
           hub::models_directory().string());
  }
  const std::lock_guard lock(mutex_);
  if (!own_) {
    own_ = load(path_for_writing(may_download), codec_options());
    keep(own_);
  }
  return own_;
}

LoadedModelPtr ModelSource::for_reading(const format::ModelRecord& record) {
  const LoadedModelPtr model = loaded_for(record);
  if (record.set_up != model->set_up()) {
    notice("the archive was written with the set-up '" + record.set_up + "', this is '" +
           model->set_up() + "' (threads; build and CPU features): it may not decode");
  }
  return model;
}

LoadedModelPtr ModelSource::loaded_for(const format::ModelRecord& record) {
  const std::lock_guard lock(mutex_);
  codec::LoadOptions options = codec_options();
  options.backend = record.backend;
  options.window = static_cast<int>(record.window);
  options.learns =
      record.backend == Backend::kExact && record.arithmetic == exact::kLearningVersion;
  options.dictionary = dictionary_of(record);
  for (const LoadedModelPtr& model : loaded_) {
    if (model->identity().is(record.fingerprint, record.window) &&
        same_set_up(model->options(), options)) {
      return model;
    }
  }
  const LoadedModelPtr model = load(path_for_reading(record), options);
  check_fits(*model, record);
  keep(model);
  return model;
}

format::ModelRecord ModelSource::record_of(const codec::LoadedModel& model) {
  format::ModelRecord record;
  record.backend = model.options().backend;
  record.arithmetic = model.arithmetic_version();
  record.fingerprint = model.fingerprint();
  record.window = static_cast<std::uint32_t>(model.options().window);
  record.set_up = model.set_up().substr(0, format::kMaxSetUp);
  if (const codec::Dictionary* dictionary = model.options().dictionary.get()) {
    record.dictionary = {dictionary->identity(), dictionary->name().substr(0, format::kMaxName)};
  }
  if (const hub::KnownModel* known = hub::known_at(model.path())) {
    record.number = known->number;
  } else {
    record.name = model.name().substr(0, format::kMaxName);
  }
  return record;
}

std::string ModelSource::name_of(const format::ModelRecord& record) {
  const hub::KnownModel* known = hub::find_known(record.number);
  return known ? known->name : record.name;
}

std::shared_ptr<const codec::Dictionary> ModelSource::dictionary_of(
    const format::ModelRecord& record) const {
  if (!record.dictionary) return nullptr;
  const std::uint64_t identity = record.dictionary->identity;
  if (options_.dictionary && options_.dictionary->identity() == identity) {
    return Internals::content(*options_.dictionary);
  }
  if (auto kept = hub::find_dictionary(identity)) return kept;
  const std::string& name = record.dictionary->name;
  throw Error(
      ErrorKind::kModel,
      "the archive needs the dictionary " + (name.empty() ? "" : name + " ") + "(identity " +
          codec::identity_text(identity) + "), which is not here" +
          (options_.dictionary ? " (the one given has identity " +
                                     codec::identity_text(options_.dictionary->identity()) + ")"
                               : "") +
          "; give its file with -D FILE, or keep it with: smll dict add FILE");
}

std::uint64_t ModelSource::identity_of(const codec::LoadedModel& model) {
  const codec::Dictionary* dictionary = model.options().dictionary.get();
  const std::array<std::uint64_t, 4> parts = {model.fingerprint(), model.arithmetic_version(),
                                              static_cast<std::uint64_t>(model.options().window),
                                              dictionary ? dictionary->identity() : 0};
  return XXH3_64bits(parts.data(), sizeof(parts));
}

std::optional<ModelInfo> ModelSource::info() {
  const std::lock_guard lock(mutex_);
  if (loaded_.empty()) return std::nullopt;
  const codec::LoadedModel& model = *loaded_.back();
  ModelInfo info;
  info.name = model.name();
  info.path = model.path();
  info.isa = model.isa();
  info.device = model.device();
  info.set_up = model.set_up();
  info.fingerprint = model.fingerprint();
  info.arithmetic = model.arithmetic_version();
  info.window = model.options().window;
  info.backend = model.options().backend;
  info.no_learning = model.no_learning();
  info.facts = model.facts();
  // What smll itself knows goes before what a file may say.
  if (const hub::KnownModel* known = hub::known_at(model.path())) {
    info.facts.licence = known->licence;
    info.facts.terms = known->terms ? known->terms : "";
    info.facts.source = known->source;
  }
  return info;
}

codec::LoadOptions ModelSource::codec_options() const {
  codec::LoadOptions options;
  options.backend = options_.backend;
  options.isa = options_.isa;
  options.device = options_.device;
  options.threads = options_.threads;
  options.window = options_.window;
  options.learns = options_.learns;
  if (options_.dictionary) options.dictionary = Internals::content(*options_.dictionary);
  return options;
}

LoadedModelPtr ModelSource::load(const std::string& path, const codec::LoadOptions& options) {
  for (const LoadedModelPtr& model : loaded_) {
    if (model->path() == path && same_set_up(model->options(), options)) return model;
  }
  return codec::LoadedModel::load(path, options);
}

void ModelSource::keep(const LoadedModelPtr& model) {
  if (std::find(loaded_.begin(), loaded_.end(), model) != loaded_.end()) return;
  loaded_.push_back(model);
  std::error_code error;
  const std::filesystem::path full = std::filesystem::absolute(model->path(), error);
  hub::remember({model->identity(), model->name(), full.string(), model->facts().size,
                 model->options().backend});
}

bool ModelSource::is_default() const {
  const std::string spec = options_.model.empty() ? environment_model() : options_.model;
  return spec.empty() || spec == hub::known_models().front().name;
}

std::string ModelSource::find(const std::string& spec) {
  std::string& path = found_[spec];
  if (path.empty()) path = find_model(spec);
  return path;
}

std::string ModelSource::path_for_writing(bool may_download) {
  if (may_download && is_default()) return hub::download_known(hub::known_models().front(), {});
  return find(options_.model);
}

std::string ModelSource::path_for_reading(const format::ModelRecord& record) {
  if (!options_.model.empty()) return find(options_.model);
  const auto same = hub::find_seen(record);
  if (same && hub::is_present(*same)) return same->path;
  const hub::KnownModel* known = hub::find_known(record.number);
  if (known && hub::is_present(*known)) return hub::known_path(*known).string();
  // A model may be here and not have been seen with this backend.
  for (const hub::SeenModel& seen : hub::seen_models()) {
    std::error_code error;
    if (!record.name.empty() && seen.name == record.name &&
        std::filesystem::exists(seen.path, error)) {
      return seen.path;
    }
  }
  if (const std::string spec = environment_model(); !spec.empty()) return find(spec);
  const std::string problem = hub::cache_problem();
  throw Error(ErrorKind::kModel, "the archive needs " + title(record) + ", which is not here" +
                                     (problem.empty() ? "" : " (" + problem + ")") + "; " +
                                     how_to_get(record));
}

void ModelSource::check_fits(const codec::LoadedModel& model, const format::ModelRecord& record) {
  if (model.arithmetic_version() != record.arithmetic) {
    throw Error(ErrorKind::kModel,
                "the archive was written with version " + std::to_string(record.arithmetic) +
                    " of the " + to_string(record.backend) + " arithmetic; this smll has version " +
                    std::to_string(model.arithmetic_version()) + ": use the smll that wrote it");
  }
  if (!model.identity().is(record.fingerprint, record.window)) {
    throw Error(ErrorKind::kModel, "the archive needs " + title(record) + ", and " + model.path() +
                                       " (fingerprint " + hex(model.fingerprint()) +
                                       ") is another model; " + how_to_get(record));
  }
}

void ModelSource::notice(const std::string& text) {
  if (!options_.notice) return;
  {
    const std::lock_guard lock(mutex_);
    if (!noticed_.insert(text).second) return;
  }
  options_.notice(printable(text));
}

}  // namespace smll::api
