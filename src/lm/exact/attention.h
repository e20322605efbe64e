// Attention of a few consecutive queries of one lane over its window, for the heads of one key
// head.
#pragma once

#include <cstdint>
#include <vector>

#include "lm/exact/activations.h"
#include "lm/exact/cpu/kernels.h"
#include "lm/exact/kv_cache.h"
#include "lm/weights/model_spec.h"

namespace smll::exact {

// Queries that share one pass over keys and values.
inline constexpr int kQueryBlock = 8;

// The first position besides 0 that position n attends to in a window which keeps position 0.
inline std::uint64_t window_begin(std::uint64_t n, int window) {
  const std::uint64_t w = static_cast<std::uint64_t>(window);
  return n + 2 > w + 1 ? n + 2 - w : 1;
}

// What the queries of a layer see.
struct Window {
  int size = 0;             // positions, at most
  bool keeps_first = true;  // position 0 is one of them, however far away

  // The first position besides 0 that position n attends to.
  std::uint64_t begin(std::uint64_t n) const { return window_begin(n, size + !keeps_first); }
  bool sees_first(std::uint64_t n) const {
    return keeps_first || n < static_cast<std::uint64_t>(size);
  }
};

// A layer's, in an engine that lets queries see `size` positions at most.
inline Window window_of(const weights::LayerSpec& layer, int size) {
  if (layer.local_window == 0 || layer.local_window >= size) return {size, true};
  return {layer.local_window, false};
}

// The keys and values of a query.
struct KvPlace {
  const KvCache* cache;
  int part;                // layer and key head
  std::uint64_t position;  // of the query
};

struct AttentionTask {
  KvPlace place;  // of the first query
  int queries;    // 1..kQueryBlock, at consecutive positions
  int group;      // query heads
  Window window;
  Activations query;        // rows = queries, from the group's first dimension on
  Activations first_query;  // the same rotated for the distance to position 0
  Activations output;       // rows = queries, from the group's first dimension on
  // Null, or out: of each query and head the scores' maximum and 1 / sum of exp(score - maximum);
  // queries are `softmax_stride` floats apart.
  float* softmax = nullptr;
  std::size_t softmax_stride = 0;
  // Of the task that the thread will probably run next; null: nobody knows.
  KvPlace next = {};
};

// Scratch memory of one thread.
class Attention {
 public:
  Attention(const Kernels& kernels, const KvLayout& layout, int group, int window);
  // Bytes that one takes, nearly.
  static std::uint64_t memory(const KvLayout& layout, int group, int window);

  void run(const AttentionTask& task);

 private:
  // Consecutive positions of one segment.
  struct Chunk {
    std::size_t offset;  // of its scores in a row of them
    int positions;       // a multiple of kTile
    const std::uint8_t* keys;
    const std::int8_t* values;
    const float* scales;  // of values
  };
  Chunk chunk(const KvPlace& place, std::uint64_t first, std::uint64_t end) const;

  void find_chunks(const AttentionTask& task);
  void gather(const AttentionTask& task);
  void score(const AttentionTask& task);
  void mask(const AttentionTask& task);
  void weigh_first(const AttentionTask& task);
  void weigh(const AttentionTask& task);
  void finish(const AttentionTask& task);

  const Kernels& kernels_;
  KvLayout layout_;
  std::size_t score_stride_;
  ActivationBuffer query_, first_query_;  // one row for each (query, head)
  std::vector<float> scores_, first_scores_, max_, sums_, chunk_scale_, scratch_, out_;
  std::vector<std::int16_t> weights_;
  std::vector<Chunk> chunks_;                // of the window's positions
  std::uint64_t begin_ = 0;                  // the first of them
  const std::uint8_t* next_task_ = nullptr;  // the keys that it begins with, if known
};

}  // namespace smll::exact
