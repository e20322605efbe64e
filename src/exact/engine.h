// The exact engine: a llama-family transformer whose logits are a fixed function of the tokens of a
// lane, whatever the batch, the threads and the instruction set. docs/exactness.md is its contract.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "exact/attention.h"
#include "exact/isa.h"
#include "exact/kv_cache.h"
#include "exact/learner.h"
#include "exact/op_times.h"
#include "exact/rope.h"
#include "exact/thread_pool.h"
#include "model/weights.h"
#include "predictor/predictor.h"

namespace smll::exact {

// Written into archives. Changes whenever any input gives other logits or frequencies than before.
inline constexpr std::uint32_t kArithmeticVersion = 1;
// The same of an engine that learns.
inline constexpr std::uint32_t kLearningVersion = 2;

// Positions a lane attends to, unless set.
inline constexpr int kDefaultWindow = 2048;

// The least and the most of them.
inline constexpr int kMinWindow = 2, kMaxWindow = 65536;

struct EngineOptions {
  Isa isa = Isa::kAuto;
  int threads = 0;              // 0: one per processor
  int window = kDefaultWindow;  // kMinWindow .. kMaxWindow
  bool learns = false;          // from the tokens it is fed (exact/learner.h); one lane only
  // Only for make_engine: token ids of the logits in the order wanted; empty means all in order.
  std::span<const Token> row_order;
};

// Used by one thread at a time; several engines may share a model.
class Engine final : public Predictor {
 public:
  // Throws Error(kUsage) for an instruction set that is not supported or a window out of range.
  Engine(std::shared_ptr<const model::Model> model, const EngineOptions& options);
  ~Engine() override;
  // Bytes, at most, that `engines` engines take which share the options' threads and lanes that are
  // fed so many tokens each, besides the model. A token more a lane, the first, is counted in.
  static std::uint64_t memory(const model::Model& model, const EngineOptions& options,
                              std::span<const std::size_t> lane_tokens, int engines);

  std::size_t rows() const override;
  int max_lanes() const override;
  bool prefill_is_exact() const override { return true; }
  std::size_t preferred_batch() const override;
  void reset(int lanes) override;
  Token start_token() const override;
  // If the sink throws, or a token does not exist, reset() must follow.
  void feed(std::span<const LaneTokens> batch, const RowSink& sink) override;
  void finish_lane(int lane) override;

  const model::Model& model() const { return *model_; }
  // Since the last reset_times().
  const OpTimes& times() const { return times_; }
  void reset_times() { times_.fill(0); }

 private:
  struct Lane;
  struct Row;
  struct QueryBlock;
  struct Workspace;

  void flatten(std::span<const LaneTokens> batch);
  std::size_t chunk_size(std::size_t first) const;
  void learn_from(std::span<const Row> rows);
  void run_chunk(std::span<const Row> rows, const RowSink& sink);
  void prepare(std::span<const Row> rows);
  void run_layer(int layer, std::span<const Row> rows);
  void norm(const std::vector<float>& weight, std::size_t rows);
  void store(int layer, std::span<const Row> rows);
  void store_row(int layer, const Row& row, std::size_t r, int thread);
  void attend(int layer, std::span<const Row> rows);
  bool learns(int layer) const;
  void note_stream(int layer, std::span<const Row> rows, float* Learner::Trace::*to);
  const model::LayerMatrices& matrices(int layer) const;
  void feed_forward(int layer, std::span<const Row> rows);
  void head(std::span<const Row> rows, const RowSink& sink);

  struct Part {
    const model::PackedMatrix* matrix;
    int column;  // of the output
  };
  void matmul(std::span<const Part> parts, const Activations& input, std::size_t rows, float* out,
              std::size_t stride, bool add);
  void gemm(const GemmArgs& args, const model::PackedMatrix& matrix) const;

  std::shared_ptr<const model::Model> model_;
  const Kernels& kernels_;
  int window_;
  KvLayout layout_;
  RotaryTable rotary_;
  ThreadPool pool_;
  std::vector<Attention> attention_;  // one a thread
  std::vector<Lane> lanes_;
  std::vector<Row> rows_;
  std::vector<QueryBlock> blocks_;
  bool past_window_ = false;  // some row of the chunk is farther from position 0 than the window
  const bool learns_;
  std::unique_ptr<Learner> learner_;  // from reset() on, where it learns
  std::unique_ptr<Workspace> work_;
  OpTimes times_{};
};

// Loads a GGUF file and makes an engine of it.
std::unique_ptr<Engine> make_engine(const std::string& gguf_path, const EngineOptions& options);

}  // namespace smll::exact
