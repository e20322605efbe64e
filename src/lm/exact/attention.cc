#include "lm/exact/attention.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace smll::exact {
namespace {

void copy_row(const Activations& from, int count, const Activations& to) {
  std::memcpy(to.q8, from.q8, count);
  const int blocks = count / kBlock;
  std::memcpy(to.scale, from.scale, blocks * sizeof(float));
  std::memcpy(to.scaled_sum, from.scaled_sum, blocks * sizeof(float));
  std::memcpy(to.sum, from.sum, blocks * sizeof(std::int32_t));
}

std::ptrdiff_t distance(const void* from, const void* to) {
  return static_cast<const char*>(to) - static_cast<const char*>(from);
}

// Asks the memory for some bytes behind `at`.
void fetch(const void* at, std::size_t begin, std::size_t end) {
  const char* bytes = static_cast<const char*>(at);
  for (std::size_t i = begin / 64 * 64; i < end; i += 64) __builtin_prefetch(bytes + i, 0, 2);
}

// The score of a position that is not attended to: no maximum makes a weight of it.
constexpr float kMasked = -std::numeric_limits<float>::infinity();

// A window can straddle one tile more at each end, and the block's queries add up to kQueryBlock.
std::size_t score_stride(int window) {
  return static_cast<std::size_t>((window + kQueryBlock) / kTile * kTile + 3 * kTile);
}

}  // namespace

std::uint64_t Attention::memory(const KvLayout& layout, int group, int window) {
  const auto rows = static_cast<std::uint64_t>(kQueryBlock * group);
  return rows *
         (sizeof(float) * static_cast<std::uint64_t>(score_stride(window)) +
          sizeof(std::int16_t) * kSegment + 8 * static_cast<std::uint64_t>(layout.head_dim) + 256);
}

Attention::Attention(const Kernels& kernels, const KvLayout& layout, int group, int window)
    : kernels_(kernels),
      layout_(layout),
      score_stride_(score_stride(window)),
      query_(kQueryBlock * group, layout.head_dim),
      first_query_(kQueryBlock * group, layout.head_dim),
      scores_(kQueryBlock * group * score_stride_),
      first_scores_(kQueryBlock * group * kTile),
      max_(kQueryBlock * group),
      sums_(kQueryBlock * group * 16),
      chunk_scale_(kQueryBlock * group),
      scratch_(kSegment),
      out_(kQueryBlock * group * layout.head_dim),
      weights_(kQueryBlock * group * kSegment) {}

void Attention::run(const AttentionTask& task) {
  find_chunks(task);
  gather(task);
  score(task);
  mask(task);
  weigh_first(task);
  weigh(task);
  finish(task);
}

// Positions from `first`, a multiple of kTile, to the end of its segment, or to `end`.
Attention::Chunk Attention::chunk(const KvPlace& place, std::uint64_t first,
                                  std::uint64_t end) const {
  const std::uint64_t slot = first % kSegment;
  const std::uint8_t* part = place.cache->part(first / kSegment, place.part);
  return {
      first - begin_, static_cast<int>(std::min(kSegment - slot, end - first)),
      part + slot / kTile * layout_.tile_bytes,
      reinterpret_cast<const std::int8_t*>(part + layout_.values_offset) + slot * layout_.head_dim,
      reinterpret_cast<const float*>(part + layout_.scales_offset) + slot};
}

void Attention::find_chunks(const AttentionTask& task) {
  const std::uint64_t first = task.window.begin(task.place.position);
  const std::uint64_t last = std::max(task.place.position + task.queries - 1, first);
  begin_ = first / kTile * kTile;
  const std::uint64_t end = (last / kTile + 1) * kTile;
  chunks_.clear();
  for (std::uint64_t at = begin_; at < end; at += chunks_.back().positions) {
    chunks_.push_back(chunk(task.place, at, end));
  }
  next_task_ = nullptr;
  if (!task.next.cache) return;
  const std::uint64_t next = task.window.begin(task.next.position) / kTile * kTile;
  next_task_ = chunk(task.next, next, next + kTile).keys;
}

void Attention::gather(const AttentionTask& task) {
  for (int i = 0; i < task.queries; ++i) {
    for (int h = 0; h < task.group; ++h) {
      const int row = i * task.group + h;
      const int first = h * layout_.head_dim;
      copy_row(task.query.at(i, first), layout_.head_dim, query_.view().at(row));
      copy_row(task.first_query.at(i, first), layout_.head_dim, first_query_.view().at(row));
    }
  }
}

// While one chunk is worked on, the next one comes from memory.
void Attention::score(const AttentionTask& task) {
  GemmArgs args = {};
  args.tile_bytes = layout_.tile_bytes;
  args.blocks = layout_.head_dim / kBlock;
  args.rows = task.queries * task.group;
  args.input = query_.view();
  args.out_stride = score_stride_;
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    const bool last = i + 1 == chunks_.size();
    const void* next = last ? static_cast<const void*>(chunks_[0].values) : chunks_[i + 1].keys;
    args.tiles = chunks_[i].keys;
    args.tile_count = chunks_[i].positions / kTile;
    args.out = scores_.data() + chunks_[i].offset;
    args.fetch_ahead = distance(args.tiles, next);
    kernels_.gemm_s8(args);
  }
  args.tiles = task.place.cache->first_key(task.place.part);
  args.tile_count = 1;
  args.input = first_query_.view();
  args.out = first_scores_.data();
  args.out_stride = kTile;
  kernels_.gemm_s8(args);
}

// Takes out the positions that other queries of the block attend to, but not this one, and finds
// the largest score of each row.
void Attention::mask(const AttentionTask& task) {
  const std::size_t count = chunks_.back().offset + chunks_.back().positions;
  for (int row = 0; row < task.queries * task.group; ++row) {
    const std::uint64_t position = task.place.position + row / task.group;
    float* scores = scores_.data() + row * score_stride_;
    std::fill(scores, scores + (task.window.begin(position) - begin_), kMasked);
    const std::size_t end = position + 1 > begin_ ? position + 1 - begin_ : 0;
    std::fill(scores + end, scores + count, kMasked);
    float& first = first_scores_[row * kTile];
    if (!task.window.sees_first(position)) first = kMasked;
    const float rest = kernels_.max_value(scores, count);
    max_[row] = first > rest ? first : rest;
  }
}

// Position 0 comes first: it opens lane 0 of the sum and the output itself. Its weight is computed
// as a chunk's would be, by the same kernel over one position.
void Attention::weigh_first(const AttentionTask& task) {
  const float first_scale = task.place.cache->first_scale(task.place.part);
  const std::int8_t* first_value = task.place.cache->first_value(task.place.part);
  for (int row = 0; row < task.queries * task.group; ++row) {
    float padded[16], scales[16] = {}, scratch[16];
    std::int16_t unused[16];
    std::fill(padded, padded + 16, kMasked);
    padded[0] = first_scores_[row * kTile];
    scales[0] = first_scale;
    float* sums = sums_.data() + row * 16;
    std::fill(sums, sums + 16, 0.0f);
    kernels_.softmax_chunk({padded, scales, 16, max_[row], sums, scratch, unused});
    float* out = out_.data() + row * layout_.head_dim;
    for (int d = 0; d < layout_.head_dim; ++d) {
      out[d] = scratch[0] * static_cast<float>(first_value[d]);
    }
  }
}

void Attention::weigh(const AttentionTask& task) {
  const int rows = task.queries * task.group;
  ValueArgs args = {};
  args.head_dim = layout_.head_dim;
  args.weights = weights_.data();
  args.weight_stride = kSegment;
  args.scale = chunk_scale_.data();
  args.rows = rows;
  args.out = out_.data();
  args.out_stride = layout_.head_dim;
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    const Chunk& now = chunks_[i];
    const bool last = i + 1 == chunks_.size();
    const void* next = last ? static_cast<const void*>(next_task_) : chunks_[i + 1].values;
    if (!last) {
      fetch(chunks_[i + 1].scales, 0, kSegment * sizeof(float));
    } else if (task.next.cache) {
      fetch(task.next.cache->first_key(task.next.part), 0, layout_.tile_bytes + layout_.head_dim);
    }
    // What the sums read last is asked for while the softmax is computed.
    const std::size_t half = static_cast<std::size_t>(kSegment / 2) * layout_.head_dim;
    for (int row = 0; row < rows; ++row) {
      if (next) fetch(next, half + half * row / rows, half + half * (row + 1) / rows);
      const float* scores = scores_.data() + row * score_stride_ + now.offset;
      chunk_scale_[row] = kernels_.softmax_chunk({scores, now.scales, now.positions, max_[row],
                                                  sums_.data() + row * 16, scratch_.data(),
                                                  weights_.data() + row * kSegment});
    }
    args.v = now.values;
    args.groups = now.positions / 4;
    args.fetch_ahead = next ? distance(args.v, next) : 0;
    kernels_.add_values(args);
  }
}

void Attention::finish(const AttentionTask& task) {
  for (int row = 0; row < task.queries * task.group; ++row) {
    const float sum = kernels_.sum_lanes(sums_.data() + row * 16);
    float* out = out_.data() + row * layout_.head_dim;
    const float inverse = 1.0f / sum;
    kernels_.scale(out, inverse, layout_.head_dim);
    if (task.softmax) {
      float* softmax = task.softmax + row / task.group * task.softmax_stride + row % task.group * 2;
      softmax[0] = max_[row];
      softmax[1] = inverse;
    }
    kernels_.quantize(out, layout_.head_dim,
                      task.output.at(row / task.group, row % task.group * layout_.head_dim));
  }
}

}  // namespace smll::exact
