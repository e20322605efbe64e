#include "codec/llama_model.h"

#include <xxhash.h>

#include <fstream>
#include <utility>
#include <vector>

#include "lm/llama/llama_predictor.h"
#include "lm/llama/llama_vocabulary.h"
#include "lm/weights/gguf_file.h"
#include "lm/weights/model_facts.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

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

struct LlamaFile : ModelFile {
  llama::ModelHandle handle;
  std::uint64_t hash;  // of the file

  LlamaFile(const std::string& path, llama::ModelHandle model, std::uint64_t hash_in)
      : ModelFile(path, texts_of(path), llama::read_vocabulary(*model), llama::start_token(*model),
                  [&](const text::Vocabulary&) { return llama::raw_tokenizer(*model); }),
        handle(std::move(model)),
        hash(hash_in) {}

 private:
  static Texts texts_of(const std::string& path) {
    const weights::GgufFile gguf(path);
    return {weights::read_name(gguf), weights::read_facts(gguf)};
  }
};

class LlamaModel : public LoadedModel {
 public:
  LlamaModel(const std::string& path, const LoadOptions& options,
             std::shared_ptr<const LlamaFile> file)
      : LoadedModel(path, options, file), gguf_(std::move(file)) {}

  format::ModelIdentity identity() const override { return {gguf_->hash, vocabulary().hash()}; }
  std::shared_ptr<const weights::Weights> weights() const override { return nullptr; }
  std::string no_learning() const override { return "only the exact backend's models learn"; }
  std::uint32_t arithmetic_version() const override { return 0; }
  std::string isa() const override { return "llama.cpp"; }
  std::string set_up() const override { return llama::set_up(options_.threads); }
  std::unique_ptr<lm::Predictor> make_predictor(bool /*may_learn*/) const override {
    return llama::make_predictor({gguf_, gguf_->handle.get()}, vocabulary(), options_.window,
                                 options_.threads, instruction_set_);
  }
  std::uint64_t decoding_memory(std::span<const std::size_t> /*lanes*/) const override {
    return llama::predictor_memory(*gguf_->handle, options_.window);
  }
  std::uint64_t opening_memory(bool /*of_short*/) const override { return 0; }
  std::uint64_t context_memory(std::size_t /*tokens*/) const override { return 0; }

 protected:
  // Its threads are llama.cpp's.
  std::size_t most_predictors(bool /*may_learn*/) const override { return 1; }

 private:
  std::shared_ptr<const LlamaFile> gguf_;
};

}  // namespace

std::shared_ptr<const ModelFile> read_llama_file(const std::string& path) {
  llama::ModelHandle handle = llama::load_model(path, /*vocab_only=*/false);
  return std::make_shared<LlamaFile>(path, std::move(handle), hash_file(path));
}

std::shared_ptr<const LoadedModel> make_llama_model(const std::string& path,
                                                    const LoadOptions& options,
                                                    const std::shared_ptr<const ModelFile>& file) {
  return std::make_shared<LlamaModel>(path, options,
                                      std::dynamic_pointer_cast<const LlamaFile>(file));
}

}  // namespace smll::codec
