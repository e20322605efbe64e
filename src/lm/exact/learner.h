// Lets a model learn from the text while it is coded ("dynamic evaluation": Mikolov et al. 2010,
// Krause et al. 2018). After every kStep tokens, whose successors are known by then, the matrices
// of the upper half of the layers take one step of RMSProp along the gradient of those tokens' code
// length. A step's positions begin at a multiple of kStep; those of a lane that began with kept
// positions are none before all of the step's are its own. Encoder and decoder do the same at the
// same tokens, with kernels that give the same bits everywhere.
//
// Steps are as long in all matrices or, for families whose weights differ more in size, as long as
// the matrix's weights are large (ModelSpec::rate_by_weights).
//
// The gradient passes quantization as if it were not there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "lm/exact/activations.h"
#include "lm/exact/attention_gradient.h"
#include "lm/exact/cpu/kernels.h"
#include "lm/exact/kv_cache.h"
#include "lm/exact/rope.h"
#include "lm/weights/weights.h"

namespace smll::exact {

// How a learner learns, if not from the text that is coded.
struct LearningPlan {
  bool by_blocks = false;   // two numbers of each block of 32 weights (block_matrix.h), not each
  bool all_layers = false;  // or the upper half
  float rate = 0.0f;        // 0: as usual
  std::uint64_t steps = 0;  // the rate falls evenly to zero at the last of them; 0: it does not
};

// For one lane.
class Learner {
 public:
  // Tokens from one step to the next.
  static constexpr std::size_t kStep = kStepRows;

  // What the engine shares with its learner.
  struct Context {
    const Kernels& kernels;
    ThreadPool::Client& pool;
    const KvCache& cache;
    const std::vector<RotaryTable>& rotary;  // one for each of the specification's
    int window;                              // of layers that have none of their own
    std::uint64_t begin;                     // positions before it were not computed by the engine
    LearningPlan plan = {};
  };

  // Takes 9 bytes of memory for each weight that learns, from the first step on.
  Learner(std::shared_ptr<const weights::Weights> model, const Context& context);
  ~Learner();
  // Bytes that one takes once it has learned, nearly.
  static std::uint64_t memory(const weights::Weights& model, int threads);

  // The lowest layer that learns.
  int first_layer() const { return first_layer_; }
  // As they are now; of a layer that learns.
  const weights::LayerMatrices& matrices(int layer) const;

  // Where the engine notes what it computed for a position in a layer that learns, until the next
  // step.
  struct Trace {
    float* attention_input;  // the residual stream before attention [width]
    float* query;            // scaled, not rotated [heads * head_dim]
    float* raw_query;        // before its norm [heads * head_dim]; null where there is none
    float* raw_key;          // before its norm [kv_heads * head_dim]; null where there is none
    float* softmax;          // AttentionTask::softmax [heads][2]
    float* attended;         // input of the output matrix [heads * head_dim]
    float* ffn_input;        // the residual stream before the feed-forward part [width]
    float* gate;             // before its activation [ffn_width]
    float* up;               // [ffn_width]
    // Before their norms [width]; null where there are none.
    float* attention_branch;  // product of the output matrix
    float* ffn_branch;        // product of the down matrix
  };
  Trace trace(int layer, std::uint64_t position);
  float* output(std::uint64_t position);  // the residual stream at the end [width]
  float* logits(std::uint64_t position);  // [head outputs]

  // To be told each token before it is computed, in the order of positions; may take a step.
  void see(std::uint64_t position, Token token);

 private:
  struct Matrix;
  struct Learning;
  struct Layer;
  struct Scratch;
  struct Turns {
    Rotations here, from_first;
  };

  void learn(std::uint64_t first_position);
  float rate() const;
  void fill_turns(std::uint64_t first_position);
  void logit_gradients();
  const float* branch_gradient(const float* branch, const std::vector<float>& post_norm);
  void pass_head_norms(const Layer& layer);
  void pass_head_norm(const std::vector<float>& raw, const std::vector<float>& weight,
                      std::vector<float>& gradient);
  void head_gradient();
  float root_mean_square(const Matrix& matrix);
  void start(Layer& layer);
  void learn_ffn(Layer& layer);
  void learn_attention(std::size_t index, std::uint64_t first_position);
  void attention_gradients(const Layer& layer, int index, std::uint64_t first_position);
  void multiply(MultiplyArgs args);
  void step(Matrix& matrix, const float* gradient, std::size_t stride, const float* input);
  void norm(const float* x, const std::vector<float>& weight);
  void norm_gradient(const float* x, const std::vector<float>& weight);
  void pack(Matrix& matrix, int output, Scratch& scratch);

  std::shared_ptr<const weights::Weights> model_;
  const Context context_;
  const weights::ModelSpec& spec_;
  std::size_t width_, query_width_, key_width_, ffn_width_, logit_stride_;
  int first_layer_;
  std::vector<std::unique_ptr<Layer>> layers_;  // from first_layer_ on
  std::vector<Scratch> scratch_;                // one a thread
  std::vector<Turns> turns_;                    // by each rotation, and at last by none
  std::uint64_t steps_ = 0;
  float power_ = 1.0f;  // kKeep to the number of steps
  float rate_ = 0.0f;

  // [kStep] rows each.
  std::vector<float> output_, logits_;
  std::vector<std::int32_t> targets_;                             // rows of the head; -1: none
  std::vector<float> stream_gradient_;                            // [width]
  std::vector<float> branch_gradient_, branch_scratch_;           // [width]
  std::vector<float> normed_, normed_gradient_;                   // [width]
  std::vector<float> product_, product_gradient_;                 // [ffn_width]
  std::vector<float> attended_gradient_, query_gradient_;         // [heads * head_dim]
  std::vector<float> key_gradient_, value_gradient_;              // [key heads * head_dim]
  std::vector<float> head_key_gradients_, head_value_gradients_;  // [heads][kStep][head_dim]
};

}  // namespace smll::exact
