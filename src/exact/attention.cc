#include "exact/attention.h"

#include <algorithm>
#include <cfloat>
#include <cstring>

namespace smll::exact {
namespace {

constexpr std::uint64_t kTilesPerSegment = kSegment / kTile;

void copy_row(const Activations& from, int count, const Activations& to) {
  std::memcpy(to.q8, from.q8, count);
  const int blocks = count / kBlock;
  std::memcpy(to.scale, from.scale, blocks * sizeof(float));
  std::memcpy(to.scaled_sum, from.scaled_sum, blocks * sizeof(float));
  std::memcpy(to.sum, from.sum, blocks * sizeof(std::int32_t));
}

}  // namespace

Attention::Attention(const Kernels& kernels, const KvLayout& layout, int group, int window)
    : kernels_(kernels),
      layout_(layout),
      // A window can straddle one tile more at each end, and the block's queries add up to
      // kQueryBlock.
      score_stride_((window + kQueryBlock) / kTile * kTile + 3 * kTile),
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
  gather(task);
  score(task);
  weigh(task);
  finish(task);
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

void Attention::score(const AttentionTask& task) {
  const std::uint64_t last = task.first_position + task.queries - 1;
  first_tile_ = window_begin(task.first_position, task.window) / kTile;
  last_tile_ = std::max(last / kTile, first_tile_);
  const int rows = task.queries * task.group;
  GemmArgs args = {};
  args.tile_bytes = layout_.tile_bytes;
  args.blocks = layout_.head_dim / kBlock;
  args.input = query_.view();
  args.rows = rows;
  args.out_stride = score_stride_;
  for (std::uint64_t tile = first_tile_; tile <= last_tile_; tile += args.tile_count) {
    const std::uint64_t in_segment = tile % kTilesPerSegment;
    args.tile_count =
        static_cast<int>(std::min(kTilesPerSegment - in_segment, last_tile_ - tile + 1));
    args.tiles =
        task.cache->part(tile / kTilesPerSegment, task.part) + in_segment * layout_.tile_bytes;
    args.out = scores_.data() + (tile - first_tile_) * kTile;
    kernels_.gemm_s8(args);
  }
  args.tiles = task.cache->first_key(task.part);
  args.tile_count = 1;
  args.input = first_query_.view();
  args.out = first_scores_.data();
  args.out_stride = kTile;
  kernels_.gemm_s8(args);

  const std::size_t count = (last_tile_ - first_tile_ + 1) * kTile;
  for (int row = 0; row < rows; ++row) {
    const std::uint64_t position = task.first_position + row / task.group;
    const std::uint64_t offset = first_tile_ * kTile;
    float* scores = scores_.data() + row * score_stride_;
    // Positions that other queries of the block attend to, but not this one.
    std::fill(scores, scores + (window_begin(position, task.window) - offset), -FLT_MAX);
    const std::size_t end = position + 1 > offset ? position + 1 - offset : 0;
    std::fill(scores + end, scores + count, -FLT_MAX);
    const float first = first_scores_[row * kTile];
    const float rest = kernels_.max_value(scores, count);
    max_[row] = first > rest ? first : rest;
  }
}

void Attention::weigh(const AttentionTask& task) {
  const int rows = task.queries * task.group;
  const float first_scale = task.cache->first_scale(task.part);
  const std::int8_t* first_value = task.cache->first_value(task.part);
  for (int row = 0; row < rows; ++row) {
    // Position 0 comes first: it opens lane 0 of the sum and the output itself. Its weight is
    // computed as a chunk's would be, by the same kernel over one position.
    float padded[16], scales[16] = {}, scratch[16];
    std::int16_t unused[16];
    std::fill(padded, padded + 16, -FLT_MAX);
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
  ValueArgs args = {};
  args.head_dim = layout_.head_dim;
  args.weights = weights_.data();
  args.weight_stride = kSegment;
  args.scale = chunk_scale_.data();
  args.rows = rows;
  args.out = out_.data();
  args.out_stride = layout_.head_dim;
  int tiles = 0;
  for (std::uint64_t tile = first_tile_; tile <= last_tile_; tile += tiles) {
    const std::uint64_t in_segment = tile % kTilesPerSegment;
    tiles = static_cast<int>(std::min(kTilesPerSegment - in_segment, last_tile_ - tile + 1));
    const std::uint8_t* part = task.cache->part(tile / kTilesPerSegment, task.part);
    const float* scales =
        reinterpret_cast<const float*>(part + layout_.scales_offset) + in_segment * kTile;
    for (int row = 0; row < rows; ++row) {
      const float* scores = scores_.data() + row * score_stride_ + (tile - first_tile_) * kTile;
      chunk_scale_[row] =
          kernels_.softmax_chunk({scores, scales, tiles * kTile, max_[row], sums_.data() + row * 16,
                                  scratch_.data(), weights_.data() + row * kSegment});
    }
    args.v = reinterpret_cast<const std::int8_t*>(part + layout_.values_offset) +
             in_segment * kTile * layout_.head_dim;
    args.groups = tiles * kTile / 4;
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
