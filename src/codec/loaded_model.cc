#include "codec/loaded_model.h"

#include <xxhash.h>

#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "exact/engine.h"
#include "llama/llama_predictor.h"
#include "llama/llama_vocabulary.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

std::string model_name(const llama_model& model, const std::string& path) {
  char name[256];
  const int length = llama_model_meta_val_str(&model, "general.name", name, sizeof name);
  return length > 0 ? std::string(name) : std::filesystem::path(path).filename().string();
}

std::uint64_t hash_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  std::vector<char> buffer(std::size_t{1} << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    XXH3_64bits_update(state, buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  const std::uint64_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  if (!in.eof()) throw Error(ErrorKind::kModel, path + ": the model's file cannot be read");
  return hash;
}

std::uint64_t combine(std::initializer_list<std::uint64_t> parts) {
  return XXH3_64bits(parts.begin(), parts.size() * sizeof(std::uint64_t));
}

// What both backends take from llama.cpp: names, vocabulary and tokenizer.
class TextModel : public LoadedModel {
 protected:
  TextModel(const std::string& path, const ModelOptions& options, llama::ModelHandle handle)
      : handle_(std::move(handle)) {
    path_ = path;
    options_ = options;
    name_ = model_name(*handle_, path);
    vocabulary_ = std::make_unique<text::Vocabulary>(llama::read_vocabulary(*handle_));
    if (vocabulary_->rows() == 0)
      throw Error(ErrorKind::kModel, path + ": no token stands for text");
    tokenizer_ = std::make_unique<text::Tokenizer>(*vocabulary_, llama::raw_tokenizer(*handle_));
  }

  std::shared_ptr<const llama_model> handle_;
};

class LlamaModel : public TextModel {
 public:
  LlamaModel(const std::string& path, const ModelOptions& options)
      : TextModel(path, options, llama::load_model(path, /*vocab_only=*/false)),
        fingerprint_(combine(
            {hash_file(path), vocabulary_->hash(), static_cast<std::uint64_t>(options.window)})) {}

  std::uint64_t fingerprint() const override { return fingerprint_; }
  std::uint32_t arithmetic_version() const override { return 0; }
  std::string isa() const override { return "llama.cpp"; }
  std::string set_up() const override { return llama::set_up(options_.threads); }
  int free_threads() const override { return 1; }
  std::unique_ptr<Predictor> make_predictor(int /*threads*/, bool /*may_learn*/) const override {
    return llama::make_predictor(handle_, vocabulary_->row_order(), options_.window,
                                 options_.threads);
  }

 private:
  std::uint64_t fingerprint_;
};

class ExactModel : public TextModel {
 public:
  ExactModel(const std::string& path, const ModelOptions& options)
      : TextModel(path, options, llama::load_model(path, /*vocab_only=*/true)) {
    engine_options_.isa = exact::isa_from_name(options.isa.empty() ? "auto" : options.isa);
    engine_options_.threads = options.threads;
    engine_options_.window = options.window;
    weights_ = model::Model::load(path, vocabulary_->row_order(), options.threads);
  }

  std::uint64_t fingerprint() const override {
    return combine({weights_->fingerprint(), vocabulary_->hash(),
                    static_cast<std::uint64_t>(options_.window)});
  }
  std::uint32_t arithmetic_version() const override {
    return options_.learns ? exact::kLearningVersion : exact::kArithmeticVersion;
  }
  std::string isa() const override {
    const bool chosen = engine_options_.isa == exact::Isa::kAuto;
    return exact::isa_name(chosen ? exact::supported_isas().front() : engine_options_.isa);
  }
  std::string set_up() const override { return {}; }
  int free_threads() const override { return exact::thread_count(engine_options_.threads); }
  std::unique_ptr<Predictor> make_predictor(int threads, bool may_learn) const override {
    exact::EngineOptions options = engine_options_;
    if (threads > 0) options.threads = threads;
    options.learns = options_.learns && may_learn;
    return std::make_unique<exact::Engine>(weights_, options);
  }

 private:
  exact::EngineOptions engine_options_;
  std::shared_ptr<const model::Model> weights_;
};

}  // namespace

std::shared_ptr<const LoadedModel> LoadedModel::load(const std::string& path,
                                                     const ModelOptions& options) {
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(ErrorKind::kModel,
                path + ": no such model file; `smll models list` shows what is there");
  }
  if (options.backend == Backend::kLlama) return std::make_shared<LlamaModel>(path, options);
  return std::make_shared<ExactModel>(path, options);
}

}  // namespace smll::codec
