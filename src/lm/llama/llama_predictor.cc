#include "lm/llama/llama_predictor.h"

#include <fmt/format.h>
#include <ggml.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "base/fp_env.h"
#include "base/start_threads.h"
#include "base/thread_pool.h"
#include "lm/llama/llama_vocabulary.h"
#include "smll/error.h"

namespace smll::llama {
namespace {

int thread_count(int threads) { return std::min(smll::thread_count(threads), GGML_MAX_N_THREADS); }

// llama.cpp ends the process when it cannot start a thread, and its results depend on their number.
void require_threads(int count) {
  std::atomic<bool> all_there = false;
  std::vector<std::thread> threads;
  start_threads(
      static_cast<std::size_t>(count - 1), [&](std::size_t) { all_there.wait(false); }, threads);
  const int started = static_cast<int>(threads.size()) + 1;
  all_there = true;
  all_there.notify_all();
  for (std::thread& thread : threads) thread.join();
  if (started < count) {
    throw Error(
        ErrorKind::kMemory,
        fmt::format("llama.cpp is to use {} threads, but only {} can be started; set another "
                    "number with -T, the same for compressing and decompressing",
                    count, started));
  }
}

constexpr int kBatch = 256;  // tokens computed at once

int context_size(const llama_model& model, int window) {
  const int trained = llama_model_n_ctx_train(&model);
  return std::max(16, trained > 0 ? std::min(window, trained) : window);
}

// Feeds one token of one lane at a time, on both sides: llama.cpp's results change with the shape
// of a batch. When a context is full its first token and the newer half stay and are computed anew,
// since an evicted K/V entry cannot be taken out of those that were computed with it in view.
class LlamaPredictor : public lm::Predictor {
 public:
  LlamaPredictor(std::shared_ptr<const llama_model> model, const text::Vocabulary& vocabulary,
                 int window, int threads, exact::Isa isa)
      : model_(std::move(model)), vocabulary_(vocabulary), isa_(isa), row_(vocabulary.rows()) {
    window_ = context_size(*model_, window);
    threads_ = thread_count(threads);
  }

  int max_lanes() const override { return 1; }
  bool prefill_is_exact() const override { return false; }
  std::size_t preferred_batch() const override { return 1; }
  Token start_token() const override { return llama::start_token(*model_); }

  int open_lane(std::shared_ptr<const lm::KeptContext> begin) override {
    if (begin) throw Error(ErrorKind::kUsage, "the llama backend's lanes begin empty");
    if (open_) throw Error(ErrorKind::kUsage, "the llama backend has one lane");
    const FpEnv environment;
    tokens_.clear();
    if (!context_) make_context();
    llama_memory_clear(llama_get_memory(context_.get()), true);
    open_ = true;
    return 0;
  }
  void close_lane(int) override { open_ = false; }
  std::shared_ptr<const lm::KeptContext> keep_lane(int) override {
    throw Error(ErrorKind::kUsage, "the llama backend's contexts cannot be kept");
  }

  void feed(std::span<const lm::LaneInput> batch) override {
    const FpEnv environment;  // the threads that llama.cpp starts have it from here
    for (const lm::LaneInput& input : batch) {
      for (std::size_t i = 0; i < input.tokens.size(); ++i) {
        append(input.tokens[i]);
        const float* logits = llama_get_logits_ith(context_.get(), -1);
        if (!logits) throw Error(ErrorKind::kModel, "llama.cpp gave no logits for a token");
        const std::span<const Token> order = vocabulary_.row_order();
        for (std::size_t row = 0; row < row_.size(); ++row) row_[row] = logits[order[row]];
        lm::answer(input, i, row_, vocabulary_, isa_, distribution_);
      }
    }
  }

  std::size_t max_guesses(int) const override { return 0; }
  void take_back(int, std::size_t) override {}

 private:
  void make_context() {
    require_threads(threads_);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(window_);
    params.n_batch = static_cast<std::uint32_t>(window_);
    params.n_ubatch = kBatch;
    params.n_threads = threads_;
    params.n_threads_batch = threads_;
    params.no_perf = true;
    context_.reset(llama_init_from_model(const_cast<llama_model*>(model_.get()), params));
    if (!context_) {
      throw Error(
          ErrorKind::kMemory,
          fmt::format("llama.cpp could not make a context of {} tokens; try a smaller --window",
                      window_));
    }
  }

  void append(Token token) {
    if (static_cast<int>(tokens_.size()) == window_) slide();
    tokens_.push_back(token);
    decode({&tokens_.back(), 1});
  }

  void slide() {
    const auto kept = static_cast<std::ptrdiff_t>(tokens_.size() / 2);
    tokens_.erase(tokens_.begin() + 1, tokens_.end() - kept + 1);
    llama_memory_clear(llama_get_memory(context_.get()), true);
    decode(tokens_);
  }

  void decode(std::span<Token> tokens) {
    const int rc = llama_decode(
        context_.get(), llama_batch_get_one(tokens.data(), static_cast<int>(tokens.size())));
    if (rc != 0) {
      throw Error(ErrorKind::kModel,
                  fmt::format("llama.cpp failed to evaluate a token (code {})", rc));
    }
  }

  std::shared_ptr<const llama_model> model_;
  const text::Vocabulary& vocabulary_;
  const exact::Isa isa_;
  std::vector<float> row_;
  lm::Distribution distribution_;
  std::vector<Token> tokens_;
  int window_ = 0;
  int threads_ = 1;
  bool open_ = false;
  ContextHandle context_;
};

}  // namespace

std::string set_up(int threads) {
  const std::string build =
      fmt::format("{} {} {}", ggml_version(), ggml_commit(), llama_print_system_info());
  const std::uint32_t hash = XXH32(build.data(), build.size(), 0) & 0xffffff;
  return fmt::format("{}t{:06x}", thread_count(threads), hash);
}

std::uint64_t predictor_memory(const llama_model& model, int window) {
  const auto width = static_cast<std::uint64_t>(llama_model_n_embd(&model));
  const auto heads = static_cast<std::uint64_t>(std::max(1, llama_model_n_head(&model)));
  const auto kv_heads = static_cast<std::uint64_t>(llama_model_n_head_kv(&model));
  const auto layers = static_cast<std::uint64_t>(llama_model_n_layer(&model));
  const auto vocabulary =
      static_cast<std::uint64_t>(llama_vocab_n_tokens(llama_model_get_vocab(&model)));
  const auto positions = static_cast<std::uint64_t>(context_size(model, window));
  // Keys and values of two bytes each; what is computed for a batch, a dozen rows in floats.
  const std::uint64_t cache = positions * layers * 2 * width * kv_heads / heads * 2;
  return cache + kBatch * sizeof(float) * (12 * width + vocabulary) + positions * sizeof(float);
}

std::unique_ptr<lm::Predictor> make_predictor(std::shared_ptr<const llama_model> model,
                                              const text::Vocabulary& vocabulary, int window,
                                              int threads, exact::Isa isa) {
  return std::make_unique<LlamaPredictor>(std::move(model), vocabulary, window, threads, isa);
}

}  // namespace smll::llama
