// Attention of a few consecutive queries of one lane over its window, for the heads of one key
// head.
#pragma once

#include <cstdint>
#include <vector>

#include "exact/activations.h"
#include "exact/kernels/kernels.h"
#include "exact/kv_cache.h"

namespace smll::exact {

// Queries that share one pass over keys and values.
inline constexpr int kQueryBlock = 8;

// The first position besides 0 that position n attends to.
inline std::uint64_t window_begin(std::uint64_t n, int window) {
  const std::uint64_t w = static_cast<std::uint64_t>(window);
  return n + 2 > w + 1 ? n + 2 - w : 1;
}

struct AttentionTask {
  const KvCache* cache;
  int part;                      // layer and key head
  std::uint64_t first_position;  // of the first query
  int queries;                   // 1..kQueryBlock, at consecutive positions
  int group;                     // query heads
  int window;
  Activations query;        // rows = queries, from the group's first dimension on
  Activations first_query;  // the same rotated for the distance to position 0
  Activations output;       // rows = queries, from the group's first dimension on
  // Null, or out: of each query and head the scores' maximum and 1 / sum of exp(score - maximum);
  // queries are `softmax_stride` floats apart.
  float* softmax = nullptr;
  std::size_t softmax_stride = 0;
};

// Scratch memory of one thread.
class Attention {
 public:
  Attention(const Kernels& kernels, const KvLayout& layout, int group, int window);

  void run(const AttentionTask& task);

 private:
  void gather(const AttentionTask& task);
  void score(const AttentionTask& task);
  void weigh(const AttentionTask& task);
  void finish(const AttentionTask& task);

  const Kernels& kernels_;
  KvLayout layout_;
  std::size_t score_stride_;
  ActivationBuffer query_, first_query_;  // one row for each (query, head)
  std::vector<float> scores_, first_scores_, max_, sums_, chunk_scale_, scratch_, out_;
  std::vector<std::int16_t> weights_;
  std::uint64_t first_tile_ = 0, last_tile_ = 0;  // of positions, both inclusive
};

}  // namespace smll::exact
