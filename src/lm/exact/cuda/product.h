// Matrix products: exact int32 dot products of blocks of 32, and one chain of fused multiply-adds
// an output in ascending order of blocks. A thread computes one output for a few rows.
#pragma once

#include "lm/exact/cpu/layout.h"
#include "lm/exact/cuda/abi.h"
#include "lm/exact/cuda/simt.h"

namespace smll::exact::cuda {

// float(sum) without a conversion, which is slow: integer sums start at the bits of 1.5 * 2^23, so
// that they are the bits of 1.5 * 2^23 + sum, exact for |sum| < 2^22.
inline constexpr int32_t kSumStart = 0x4b400000;
SMLL_DEVICE float float_of_sum(int32_t sum) {
  return sub(float_of(static_cast<uint32_t>(sum)), 12582912.0f);
}

// The quantized inputs of a block, and their scales.
struct InputBlock {
  Words q[2];
  Scales scales;
};

SMLL_DEVICE InputBlock input_block(const Activations& input, int row, int b) {
  const int64_t at = static_cast<int64_t>(row) * input.blocks + b;
  return {{words_at(input.q8 + at * kBlock), words_at(input.q8 + at * kBlock + 16)},
          input.scales[at]};
}

// The rows' sums over a U4 matrix's blocks; `tile` is the output's, `rows` their numbers.
template <int kRows>
SMLL_DEVICE void add_u4(const uint8_t* tile, int output, const Activations& input, const int* rows,
                        float* sums) {
  for (int b = 0; b < input.blocks; ++b, tile += kU4BlockBytes) {
    uint32_t low[4], high[4];
    for (int v = 0; v < 4; ++v) {
      const uint32_t word = word_at(tile + v * 64 + output * 4);
      low[v] = word & 0x0f0f0f0fu;
      high[v] = word >> 4 & 0x0f0f0f0fu;
    }
    const float d = half(*reinterpret_cast<const uint16_t*>(tile + 256 + 2 * output));
    const float m = half(*reinterpret_cast<const uint16_t*>(tile + 288 + 2 * output));
    for (int r = 0; r < kRows; ++r) {
      const InputBlock in = input_block(input, rows[r], b);
      int32_t sum = kSumStart;
      for (int v = 0; v < 4; ++v) sum = dot4(low[v], in.q[0].word[v], sum);
      for (int v = 0; v < 4; ++v) sum = dot4(high[v], in.q[1].word[v], sum);
      sums[r] = fma(mul(d, in.scales.scale), float_of_sum(sum), sums[r]);
      sums[r] = fma(m, in.scales.scaled_sum, sums[r]);
    }
  }
}

template <int kRows>
SMLL_DEVICE void add_s8(const uint8_t* tile, int output, const Activations& input, const int* rows,
                        float* sums) {
  for (int b = 0; b < input.blocks; ++b, tile += kS8BlockBytes) {
    uint32_t words[8];
    for (int g = 0; g < 8; ++g) words[g] = word_at(tile + g * 64 + output * 4);
    const float scale = *reinterpret_cast<const float*>(tile + 512 + 4 * output);
    for (int r = 0; r < kRows; ++r) {
      const InputBlock in = input_block(input, rows[r], b);
      int32_t sum = kSumStart;
      for (int g = 0; g < 8; ++g) sum = dot4(words[g], in.q[g / 4].word[g % 4], sum);
      sums[r] = fma(mul(scale, in.scales.scale), float_of_sum(sum), sums[r]);
    }
  }
}

// Block x computes a group of tiles, block y a few rows.
template <int kRows>
SMLL_DEVICE void product(const Block& block, const ProductArgs& args) {
  block.each([&](int t) {
    const int group = static_cast<int>(block.x);
    int p = 0;
    while (p + 1 < args.part_count && group >= args.parts[p + 1].first_group) ++p;
    const Matrix& part = args.parts[p];
    const int tile = (group - part.first_group) * kProductTiles + t / kTile;
    if (tile >= part.tile_count) return;
    const int output = t % kTile;
    const int first = static_cast<int>(block.y) * kRows;
    int rows[kRows];
    float sums[kRows];
    for (int r = 0; r < kRows; ++r) {
      // Beyond the last row the last is computed again, for nobody.
      rows[r] = first + r < args.rows ? first + r : args.rows - 1;
      sums[r] = 0.0f;
    }
    const uint8_t* const tiles = part.tiles + static_cast<uint64_t>(tile) * part.tile_bytes;
    if (part.u4) {
      add_u4<kRows>(tiles, output, args.input, rows, sums);
    } else {
      add_s8<kRows>(tiles, output, args.input, rows, sums);
    }
    float* const out = args.out + part.column + tile * kTile + output;
    for (int r = 0; r < kRows; ++r) {
      if (first + r >= args.rows) break;
      float& to = out[static_cast<uint64_t>(first + r) * args.out_stride];
      to = args.add ? add(to, sums[r]) : sums[r];
    }
  });
}

}  // namespace smll::exact::cuda
