// The gradient of one head's attention, for the queries of one step of learning
// (lm/exact/learner.h).
//
// Keys and values are taken as the cache has them, and those before the step as constants. So are
// position 0's.
#pragma once

#include <cstdint>
#include <vector>

#include "lm/exact/attention.h"
#include "lm/exact/cpu/kernels.h"
#include "lm/exact/kv_cache.h"
#include "lm/exact/rope.h"

namespace smll::exact {

// Positions of a step; the first is a multiple of it.
inline constexpr int kStepRows = 64;
static_assert(kSegment % kStepRows == 0);

// What turns vectors at the step's positions, or back: [kStepRows][head_dim] each.
struct Rotations {
  std::vector<float> cos, sin, back_sin;

  explicit Rotations(int head_dim);
  // As far as from position 0 to each, but at most to `farthest`.
  void fill(const RotaryTable& table, std::uint64_t first_position, std::uint64_t farthest);

 private:
  int head_dim_;
};

// Rows of `stride` floats, from the head's first on, one for each of the step's positions.
struct AttentionGradientTask {
  const KvCache* cache;
  int part;  // layer and key head
  std::uint64_t first_position;
  Window window;
  float scale;  // of scores
  const Rotations* here;
  const Rotations* from_first;  // to the place where a query sees position 0
  const float* query;           // scaled, not rotated
  const float* attended;        // attention's result
  const float* gradient;        // of attention's result
  std::size_t stride;           // of the three, and of query_gradient
  const float* softmax;         // the scores' maximum and 1 / sum of exp(score - maximum)
  std::size_t softmax_stride;
  float* query_gradient;  // out: of the query before scaling
  float* key_gradient;    // out, [kStepRows][head_dim]: of the key before its rotation
  float* value_gradient;  // out, [kStepRows][head_dim]
};

// Scratch memory of one thread.
class AttentionGradient {
 public:
  AttentionGradient(const Kernels& kernels, int head_dim);

  void run(const AttentionGradientTask& task);

 private:
  struct Queries {
    std::vector<float> rotated, gradient;
  };

  void gather(const AttentionGradientTask& task);
  void load_first(const AttentionGradientTask& task);
  void load_block(const AttentionGradientTask& task, std::uint64_t block);
  void mask(const AttentionGradientTask& task, std::uint64_t block);
  void score(const Queries& queries);
  void differentiate(const AttentionGradientTask& task);
  void add_query_gradient(Queries& queries);
  void key_and_value_gradients(const AttentionGradientTask& task);
  void finish(const AttentionGradientTask& task);

  const Kernels& kernels_;
  int head_dim_;
  Queries here_, first_;                            // as they see all others, and position 0
  std::vector<float> gradient_, along_;             // of the result; its product with the result
  std::vector<float> keys_;                         // [columns_][head_dim]
  std::vector<float> key_columns_, value_columns_;  // [head_dim][columns_]
  std::vector<float> weights_, slopes_;             // [kStepRows][columns_]: scores, then softmax
  int columns_ = kStepRows;                         // keys at once
};

}  // namespace smll::exact
