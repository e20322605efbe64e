// The operations of forward() on the CPU: work on rows and outputs is shared by a pool's threads,
// and the kernels of one instruction set compute.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/thread_pool.h"
#include "lm/exact/attention.h"
#include "lm/exact/kv_cache.h"
#include "lm/exact/learner.h"
#include "lm/exact/ops.h"
#include "lm/exact/rope.h"
#include "lm/weights/weights.h"

namespace smll::exact {

class CpuOps : public Ops {
 public:
  struct Options {
    const Kernels& kernels;
    ThreadPool::Client& pool;
    int window;   // positions that a query sees where the model does not say less
    bool learns;  // one lane at a time
    LearningPlan plan = {};
  };

  CpuOps(std::shared_ptr<const weights::Weights> model, const Options& options);
  ~CpuOps() override;
  // Bytes, at most, that so many of them take besides the model and lanes.
  static std::uint64_t memory(const weights::Weights& model, int window, bool learns, int threads,
                              int count);
  // Of them, what a lane's keys and values take.
  static std::uint64_t context_memory(const weights::Weights& model, int window,
                                      std::size_t tokens);

  // Null where it does not learn.
  const Learner* learner() const { return learner_.get(); }

  // Enough to amortize reading the weights, few enough to stay in cache.
  std::size_t max_rows() const override { return kMaxRows; }
  std::size_t head_rows() const override;

  void open_lane(int lane, std::shared_ptr<const lm::KeptContext> begin) override;
  void close_lane(int lane) override;
  std::shared_ptr<const lm::KeptContext> keep_lane(int lane) override;
  void forget(int lane, std::uint64_t first, std::size_t count) override;

  void learn(std::span<const Row> rows) override;
  void embed(std::span<const Row> rows) override;
  void attention_norm(int layer) override;
  void project(int layer) override;
  void rotate_and_store(int layer) override;
  void attend(int layer) override;
  void add_attention(int layer) override;
  void ffn_norm(int layer) override;
  void feed_forward(int layer) override;
  void add_feed_forward(int layer) override;
  void output_norm() override;
  void head(std::size_t first, std::size_t count) override;
  void give_logits(std::size_t first, std::size_t count, const RowSink& sink) override;

 private:
  struct QueryBlock;
  struct Turns;
  struct Workspace;
  // A product's place in a row of results.
  struct Part {
    const weights::PackedMatrix* matrix;
    int column;
  };

  void prepare_lanes();
  void turn(std::size_t r);
  void norm(const std::vector<float>& weight);
  void store_row(int layer, std::size_t r, int thread);
  void norm_heads(float* heads, int count, const std::vector<float>& weight) const;
  void store_queries(int layer, std::size_t r, int thread);
  void store_keys(int layer, std::size_t r, int thread);
  bool learns(int layer) const;
  void note_stream(int layer, float* Learner::Trace::*to);
  const weights::LayerMatrices& matrices(int layer) const;
  void add_to_stream(const weights::PackedMatrix& matrix, const Activations& input,
                     const std::vector<float>& bias, const std::vector<float>& post_norm, int layer,
                     float* Learner::Trace::*note);
  void matmul(std::span<const Part> parts, const Activations& input, std::size_t rows, float* out,
              std::size_t stride, bool add);
  void gemm(const GemmArgs& args, const weights::PackedMatrix& matrix) const;

  std::shared_ptr<const weights::Weights> model_;
  const weights::ModelSpec& spec_;
  const Kernels& kernels_;
  ThreadPool::Client& pool_;
  const int window_;
  const bool learns_;
  const LearningPlan plan_;
  KvLayout layout_;
  KvPool kv_;
  std::vector<RotaryTable> rotary_;               // one for each of the specification's
  std::vector<Attention> attention_;              // one a thread
  std::vector<std::unique_ptr<KvCache>> caches_;  // of lanes; null while closed
  std::span<const Row> rows_;                     // of the batch
  std::vector<QueryBlock> blocks_;                // of the batch
  bool past_window_ = false;  // some row of the batch is farther from position 0 than the window
  std::unique_ptr<Learner> learner_;  // of the lane, where it learns
  std::unique_ptr<Workspace> work_;
};

}  // namespace smll::exact
