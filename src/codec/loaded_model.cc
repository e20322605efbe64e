#include "codec/loaded_model.h"

#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/file_identity.h"
#include "base/start_threads.h"
#include "base/thread_pool.h"
#include "codec/decode_stream.h"
#include "codec/frame_codec.h"
#include "codec/llama_model.h"
#include "codec/model_file.h"
#include "codec/opening.h"
#include "codec/openings.h"
#include "codec/scheduler.h"
#include "lm/exact/cuda/choice.h"
#include "lm/exact/cuda/device.h"
#include "lm/exact/engine.h"
#include "lm/exact/exact_predictor.h"
#include "lm/exact/kv_cache.h"
#include "lm/weights/adapter.h"
#include "lm/weights/gguf_file.h"
#include "lm/weights/gguf_vocabulary.h"
#include "lm/weights/model_facts.h"
#include "smll/error.h"
#include "text/model_tokenizer.h"

namespace smll::codec {

namespace {

// Bytes that nobody uses, nearly; none where the system does not say.
std::uint64_t free_memory() {
  const long pages = ::sysconf(_SC_AVPHYS_PAGES);
  return pages < 0 ? 0 : static_cast<std::uint64_t>(pages) * ::sysconf(_SC_PAGESIZE);
}

// The vocabulary and the weights beside it.
std::shared_ptr<const ModelFile> read_exact(const std::string& path, int threads) {
  const weights::GgufFile gguf(path);
  std::packaged_task<std::shared_ptr<ModelFile>()> task([&gguf] {
    weights::GgufVocabulary vocabulary = weights::read_vocabulary(gguf);
    return std::make_shared<ModelFile>(
        gguf.path(), ModelFile::Texts{weights::read_name(gguf), weights::read_facts(gguf)},
        vocabulary.entries, vocabulary.start_token, [&](const text::Vocabulary& rows) {
          return text::model_tokenizer(rows, std::move(vocabulary.tables));
        });
  });
  std::future<std::shared_ptr<ModelFile>> vocabulary = task.get_future();
  std::vector<std::thread> reader;
  start_threads(
      1, [&task](std::size_t) { task(); }, reader);
  if (reader.empty()) task();
  std::shared_ptr<ModelFile> file;
  const auto coding = [&] {
    file = vocabulary.get();
    return weights::Coding{file->vocabulary.row_order(), file->start_token};
  };
  const auto join = [&reader] {
    for (std::thread& thread : reader) thread.join();
  };
  try {
    auto weights = weights::Weights::load_with(gguf, coding, threads);
    join();
    file->weights = std::move(weights);
  } catch (...) {
    join();
    // What is wrong with the file as a whole comes first.
    if (vocabulary.valid()) vocabulary.get();
    throw;
  }
  return file;
}

std::shared_ptr<const ModelFile> read_file(const std::string& path, const LoadOptions& options) {
  return options.backend == Backend::kExact ? read_exact(path, options.threads)
                                            : read_llama_file(path);
}

// What the file at `path` holds, where it is the one of `identity` and stays so.
std::shared_ptr<const ModelFile> read_unchanged(const std::string& path,
                                                const FileIdentity& identity,
                                                const LoadOptions& options) {
  std::shared_ptr<const ModelFile> file = read_file(path, options);
  // The file is opened and read several times, and all must have seen the same.
  if (file_identity_of(path) != identity) {
    throw Error(ErrorKind::kModel,
                path + ": the model's file was changed while it was read; try again");
  }
  return file;
}

// Files in use, in the whole process: each is read once, by one thread; others wait for it.
class FileTable {
 public:
  using FilePtr = std::shared_ptr<const ModelFile>;

  FilePtr get(const std::string& path, const LoadOptions& options) {
    const Key key{file_identity_of(path), options.backend};
    std::promise<FilePtr> promise;
    {
      std::unique_lock lock(mutex_);
      if (const auto found = files_.find(key); found != files_.end()) {
        if (FilePtr file = found->second.lock()) return file;
      }
      const auto [reading, first] =
          reading_.try_emplace({key, ::getpid()}, promise.get_future().share());
      if (!first) {
        const std::shared_future<FilePtr> other = reading->second;
        lock.unlock();
        return other.get();
      }
    }
    // Not under the lock: it may take long, and a process that forks meanwhile must not inherit it
    // locked.
    try {
      FilePtr file = read_unchanged(path, key.first, options);
      finish(key, file);
      promise.set_value(file);
      return file;
    } catch (...) {
      finish(key, nullptr);
      promise.set_exception(std::current_exception());
      throw;
    }
  }

 private:
  using Key = std::pair<FileIdentity, Backend>;

  void finish(const Key& key, const FilePtr& file) {
    const std::lock_guard lock(mutex_);
    reading_.erase({key, ::getpid()});
    std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
    if (file) files_[key] = file;
  }

  std::mutex mutex_;
  std::map<Key, std::weak_ptr<const ModelFile>> files_;
  // By process too: a forked one has none of its parent's threads, which would end the wait.
  std::map<std::pair<Key, pid_t>, std::shared_future<FilePtr>> reading_;
};

std::shared_ptr<const ModelFile> shared_file(const std::string& path, const LoadOptions& options) {
  static FileTable table;
  return table.get(path, options);
}

// While the processor does its part of what one predictor on a GPU has computed, the GPU computes
// for the others.
constexpr std::size_t kGpuPredictors = 4;
// Lanes of each, at most: more take longer in proportion.
constexpr std::size_t kGpuLanes = 256;

class ExactModel : public LoadedModel {
 public:
  ExactModel(const std::string& path, const LoadOptions& options,
             std::shared_ptr<const ModelFile> file)
      : LoadedModel(path, options, std::move(file)) {
    engine_options_.isa = instruction_set_;
    engine_options_.threads = options.threads;
    engine_options_.window = options.window;
    engine_options_.pool = pool_;
    if (!options.learns) engine_options_.device = exact::cuda::open_choice(options.device);
    if (on_gpu()) {
      const std::size_t lanes = exact::Engine::device_lanes(*file_->weights, engine_options_);
      gpu_lanes_ = std::clamp<std::size_t>(lanes / kGpuPredictors, 1, kGpuLanes);
    }
    const Dictionary* dictionary = options.dictionary.get();
    if (!dictionary) return;
    if (!dictionary->fits(identity())) {
      throw Error(ErrorKind::kModel, "the dictionary " + dictionary->name() +
                                         " was made for another model than " + path +
                                         "; train one for it with smll train");
    }
    if (dictionary->adapter().empty()) return;
    const weights::Adapter adapter = weights::Adapter::parse(dictionary->adapter());
    adapter.check_fits(*file_->weights);
    adapter_memory_ = adapter.memory(*file_->weights);
  }

  format::ModelIdentity identity() const override {
    return {file_->weights->fingerprint(), vocabulary().hash()};
  }
  // An adapter may make another model of as much memory, of which callers may be asked before.
  std::shared_ptr<const weights::Weights> weights() const override {
    std::call_once(made_weights_, [this] {
      const bool adapted = adapter_memory_ > 0;
      weights_ = adapted ? weights::Adapter::parse(options_.dictionary->adapter())
                               .apply(*file_->weights, options_.threads)
                         : file_->weights;
    });
    return weights_;
  }
  std::string no_learning() const override { return ""; }
  std::uint32_t arithmetic_version() const override {
    return options_.learns ? exact::kLearningVersion : exact::kArithmeticVersion;
  }
  std::string isa() const override {
    const bool chosen = instruction_set_ == exact::Isa::kAuto;
    return exact::isa_name(chosen ? exact::supported_isas().front() : instruction_set_);
  }
  bool on_gpu() const override { return engine_options_.device != nullptr; }
  std::string device() const override {
    const exact::cuda::Device* device = engine_options_.device.get();
    return device ? "cuda:" + std::to_string(device->number()) + " " + device->name() : "cpu";
  }
  Together together() const override {
    if (!on_gpu()) return LoadedModel::together();
    return {kGpuPredictors * gpu_lanes_, memory_at_once()};
  }
  std::string set_up() const override { return {}; }
  std::unique_ptr<lm::Predictor> make_predictor(bool may_learn) const override {
    return std::make_unique<lm::ExactPredictor>(weights(), engine_options(may_learn), vocabulary());
  }
  std::uint64_t decoding_memory(std::span<const std::size_t> lanes) const override {
    // Each lane that learns has an engine.
    const int learning = static_cast<int>(lanes.size());
    const int others = lanes.size() < DecodeStream::kSplitLanes ? 1 : 2;
    std::vector<std::size_t> tokens(lanes.begin(), lanes.end());
    // An opening ends within a piece of a lane's memory, which becomes the lane's own.
    const std::size_t more = opening_ ? exact::kSegment : 0;
    for (std::size_t& lane : tokens) lane += more;
    return exact::Engine::memory(*file_->weights, engine_options(true), tokens,
                                 options_.learns ? learning : others);
  }
  std::uint64_t opening_memory(bool of_short) const override {
    if (!opening_ && !of_short) return 0;
    std::size_t longest = 0;  // tokens
    if (!opening_) {
      for (const OpeningText& each : openings()) longest = std::max(longest, each.text.size());
    }
    // It is read by a predictor of its own.
    return exact::Engine::memory(*file_->weights, engine_options(false), {&longest, 1}, 1) +
           (opening_ ? opening_->memory() : 0) + adapter_memory_;
  }
  std::uint64_t context_memory(std::size_t tokens) const override {
    if (on_gpu()) return 0;
    return exact::Engine::context_memory(*file_->weights, engine_options_, tokens);
  }

 protected:
  std::size_t lanes_at_once(bool may_learn) const override {
    return on_gpu() ? gpu_lanes_ : LoadedModel::lanes_at_once(may_learn);
  }
  // What mixes beside a GPU is many frames' and takes much.
  std::uint64_t memory_at_once() const override {
    const std::uint64_t usual = LoadedModel::memory_at_once();
    return on_gpu() ? std::max(usual, free_memory() / 2) : usual;
  }
  std::size_t most_predictors(bool may_learn) const override {
    const auto threads = static_cast<std::size_t>(pool_->threads());
    if (on_gpu()) return std::min(kGpuPredictors, threads);
    if (!options_.learns || !may_learn) return threads;
    // What they learn takes much memory, so only as many as half of what is free can hold.
    const std::size_t tokens = options_.window;
    const std::uint64_t each =
        exact::Engine::memory(*file_->weights, engine_options(true), {&tokens, 1}, 1);
    return std::clamp<std::size_t>(free_memory() / 2 / each, 1, threads);
  }

 private:
  exact::EngineOptions engine_options(bool may_learn) const {
    exact::EngineOptions options = engine_options_;
    options.learns = options_.learns && may_learn;
    return options;
  }

  exact::EngineOptions engine_options_;
  std::size_t gpu_lanes_ = 0;  // of a predictor
  std::uint64_t adapter_memory_ = 0;
  mutable std::once_flag made_weights_;
  mutable std::shared_ptr<const weights::Weights> weights_;
};

}  // namespace

LoadedModel::LoadedModel(const std::string& path, const LoadOptions& options,
                         std::shared_ptr<const ModelFile> file)
    : path_(path),
      options_(options),
      instruction_set_(exact::isa_from_name(options.isa.empty() ? "auto" : options.isa)),
      file_(std::move(file)),
      pool_(shared_pool(options.backend == Backend::kExact ? options.threads : 1)) {
  name_ = !file_->name.empty() ? file_->name : std::filesystem::path(path).filename().string();
}

LoadedModel::~LoadedModel() = default;

Scheduler& LoadedModel::scheduler(bool may_learn) const {
  const bool learns = options_.learns && may_learn;
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Scheduler>& scheduler = learns || !options_.learns ? scheduler_ : unlearned_;
  if (!scheduler) {
    scheduler = std::make_unique<Scheduler>(
        [this, may_learn] { return make_predictor(may_learn); },
        Scheduler::Size{most_predictors(may_learn), lanes_at_once(may_learn), memory_at_once(),
                        on_gpu()},
        pool_);
  }
  return *scheduler;
}

std::size_t LoadedModel::lanes_at_once(bool may_learn) const {
  return options_.learns && may_learn ? 1 : static_cast<std::size_t>(max_lanes());
}

std::uint64_t LoadedModel::memory_at_once() const { return Scheduler::Size{}.memory; }

int LoadedModel::max_lanes() const {
  return options_.backend == Backend::kLlama || options_.learns ? 1 : format::kMaxLanes;
}

const ModelFacts& LoadedModel::facts() const { return file_->facts; }
Token LoadedModel::start_token() const { return file_->start_token; }
const text::Vocabulary& LoadedModel::vocabulary() const { return file_->vocabulary; }
const text::Tokenizer& LoadedModel::tokenizer() const { return file_->tokenizer; }

std::shared_ptr<const LoadedModel> LoadedModel::load(const std::string& path,
                                                     const LoadOptions& options) {
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(ErrorKind::kModel,
                path + ": no such model file; `smll models list` shows what is there");
  }
  std::shared_ptr<const ModelFile> file = shared_file(path, options);
  if (options.backend == Backend::kLlama) {
    if (options.dictionary) {
      throw Error(ErrorKind::kUsage, "only the exact backend can use a dictionary");
    }
    return make_llama_model(path, options, file);
  }
  const auto model = std::make_shared<ExactModel>(path, options, std::move(file));
  if (const Dictionary* dictionary = options.dictionary.get()) {
    model->opening_ = std::make_unique<Opening>(
        *model, dictionary->opening(), Opening::Readers::kModelAndMixer, dictionary->sample());
    const std::array<ByteView, 2> texts = {dictionary->sample(), dictionary->opening()};
    model->short_odds_ = {true, sizes_of_lines(texts)};
  }
  return model;
}

const Opening* LoadedModel::opening_of_short(std::size_t index) const {
  if (opening_) return opening_.get();
  const std::lock_guard lock(mutex_);
  if (openings_.empty()) openings_.resize(codec::openings().size());
  std::unique_ptr<const Opening>& opening = openings_[index];
  if (!opening) {
    const std::string_view text = codec::openings()[index].text;
    opening = std::make_unique<Opening>(
        *this, ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()),
        Opening::Readers::kModel);
  }
  return opening.get();
}

std::span<const Opening* const> LoadedModel::openings_with_firsts() const {
  std::call_once(made_firsts_, [this] {
    std::vector<const Opening*> all;
    for (std::size_t i = 0; i < codec::openings().size(); ++i) all.push_back(opening_of_short(i));
    Opening::make_firsts(*this, all);
    openings_with_firsts_ = std::move(all);
  });
  return openings_with_firsts_;
}

bool LoadedModel::has_openings() const { return options_.backend == Backend::kExact && !opening_; }

ShortHeadOdds LoadedModel::short_odds() const { return short_odds_; }

}  // namespace smll::codec
