#include "lm/exact/block_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "lm/exact/cpu/half.h"
#include "lm/weights/difference_code.h"

namespace smll::exact {

using weights::Format;
using weights::PackedMatrix;
using weights::S8Block;
using weights::U4Block;

namespace {

// Quantized values as the factor sees them: around zero.
constexpr float kU4Centre = 8.0f;
// Their usual size there; the factor's steps are so much shorter.
constexpr float kU4Size = 4.0f, kS8Size = 50.0f;

// Differences of halves are multiples of it: an adapter takes four bits a number less, and of 15 KB
// of German that took 2,678 bytes 3 were lost.
constexpr float kHalfGrain = 16.0f;
constexpr std::int32_t kLargestOrder = 0x7bff;

float value_of(const U4Block& block, int i) {
  const int nibble = i < 16 ? block.nibbles[i] & 15 : block.nibbles[i - 16] >> 4;
  return static_cast<float>(nibble) - kU4Centre;
}
float value_of(const S8Block& block, int i) { return static_cast<float>(block.q[i]); }

float factor_of(const U4Block& block) { return half_to_float(block.d); }
float factor_of(const S8Block& block) { return block.scale; }
float addend_of(const U4Block& block) {
  return half_to_float(block.m) + kU4Centre * half_to_float(block.d);
}
float addend_of(const S8Block& /*block*/) { return 0.0f; }

// Nearly the half nearest to x: so many steps of kHalfGrain in the order of halves from the
// model's.
std::uint16_t to_half(std::uint16_t models, float x) {
  constexpr float kLargest = 65000.0f;
  const std::int32_t old = weights::order_of_half(models);
  const std::int32_t nearest =
      weights::order_of_half(float_to_half(std::clamp(x, -kLargest, kLargest)));
  const float steps = std::rint(static_cast<float>(nearest - old) / kHalfGrain);
  const std::int32_t order = old + static_cast<std::int32_t>(steps * kHalfGrain);
  return weights::half_of(std::clamp(order, -kLargestOrder, kLargestOrder));
}

// The block becomes nearly the nearest one that the model's form can say.
void set(U4Block& block, float factor, float addend) {
  block.d = to_half(block.d, factor);
  block.m = to_half(block.m, addend - kU4Centre * half_to_float(block.d));
}

void set(S8Block& block, float factor, float addend) {
  constexpr auto kStep = static_cast<float>(1 << weights::kScaleShift);
  if (block.scale == 0.0f) return;
  const std::int32_t old = weights::order_of(block.scale);
  const auto ahead = static_cast<float>(weights::order_of(factor) - old);
  const auto steps = static_cast<std::int32_t>(std::clamp(std::rint(ahead / kStep), -1e4f, 1e4f));
  block.scale = weights::float_of(old + steps * (1 << weights::kScaleShift));
  const float shift = std::clamp(std::rint(addend / block.scale), -254.0f, 254.0f);
  for (std::int8_t& q : block.q) {
    q = static_cast<std::int8_t>(std::clamp(q + static_cast<int>(shift), -127, 127));
  }
}

template <typename Block>
void gather(const PackedMatrix& matrix, int tile, const float* gradient, float* of_factors,
            float* of_addends) {
  std::vector<Block> row(matrix.blocks);
  const int outputs = std::min(kTile, matrix.outputs - tile * kTile);
  for (int o = 0; o < outputs; ++o) {
    weights::unpack(matrix, tile * kTile + o, std::span<Block>(row));
    for (const Block& block : row) {
      // Sums of eight lanes, added up in their order.
      float products[8] = {}, sums[8] = {};
      for (int i = 0; i < kBlock; ++i) {
        products[i % 8] += gradient[i] * value_of(block, i);
        sums[i % 8] += gradient[i];
      }
      for (int i = 1; i < 8; ++i) products[0] += products[i], sums[0] += sums[i];
      *of_factors++ = products[0];
      *of_addends++ = sums[0];
      gradient += kBlock;
    }
  }
}

template <typename Block>
void read(const PackedMatrix& matrix, float* factors, float* addends) {
  std::vector<Block> row(matrix.blocks);
  for (int o = 0; o < matrix.outputs; ++o) {
    weights::unpack(matrix, o, std::span<Block>(row));
    for (const Block& block : row) {
      *factors++ = factor_of(block);
      *addends++ = addend_of(block);
    }
  }
}

std::size_t blocks_of(const PackedMatrix& matrix) {
  return static_cast<std::size_t>(matrix.tiles) * kTile * matrix.blocks;
}

}  // namespace

BlockMatrix::BlockMatrix(const PackedMatrix& from, PackedMatrix& to)
    : from_(from), to_(to), factor_(blocks_of(from)), addend_(blocks_of(from)) {
  to = PackedMatrix(from.format, from.blocks * kBlock, from.outputs);
  std::memcpy(to.tile(0), from.tile(0), from.tile_bytes * from.tiles);
  (from.format == Format::kU4 ? read<U4Block> : read<S8Block>)(from, factor_.values.data(),
                                                               addend_.values.data());
}

void BlockMatrix::step(int tile, const float* gradient, const Step& step, float* weights) {
  const bool u4 = from_.format == Format::kU4;
  const std::size_t count = static_cast<std::size_t>(kTile) * from_.blocks;
  const std::size_t at = tile * count;
  (u4 ? gather<U4Block> : gather<S8Block>)(from_, tile, gradient, factor_.gradient.data() + at,
                                           addend_.gradient.data() + at);
  const auto learn = [&](Numbers& numbers, float rate) {
    step.kernels.rms_step({numbers.gradient.data() + at, numbers.values.data() + at,
                           numbers.squares.data() + at, count, step.keep, rate, step.correction,
                           step.epsilon});
  };
  learn(factor_, step.rate / (u4 ? kU4Size : kS8Size));
  learn(addend_, step.rate);
  if (u4) {
    write<U4Block>(tile, weights);
  } else {
    write<S8Block>(tile, weights);
  }
}

template <typename Block>
void BlockMatrix::write(int tile, float* weights) {
  std::vector<Block> row(from_.blocks);
  const int outputs = std::min(kTile, from_.outputs - tile * kTile);
  std::size_t at = static_cast<std::size_t>(tile) * kTile * from_.blocks;
  for (int o = 0; o < outputs; ++o) {
    smll::weights::unpack(from_, tile * kTile + o, std::span<Block>(row));
    for (Block& block : row) {
      set(block, factor_.values[at], addend_.values[at]);
      ++at;
      smll::weights::expand(block, weights);
      weights += kBlock;
    }
    smll::weights::pack(std::span<const Block>(row), o, to_.tile(tile));
  }
}

}  // namespace smll::exact
