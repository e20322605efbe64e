// The element-wise functions of cpu/vector_ops.inc for one element or one block. Each must equal
// its twin there bit for bit.
#pragma once

#include "lm/exact/cuda/abi.h"
#include "lm/exact/cuda/rooms.h"
#include "lm/exact/cuda/simt.h"

namespace smll::exact::cuda {

// The second operand wins when either is NaN.
SMLL_DEVICE float larger(float a, float b) { return a > b ? a : b; }
SMLL_DEVICE float smaller(float a, float b) { return a < b ? a : b; }

// Nearest, ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no fraction bits.
SMLL_DEVICE int32_t round_to_int(float x) { return to_int(sub(add(x, 12582912.0f), 12582912.0f)); }

SMLL_DEVICE float power_of_two(int32_t n) { return float_of(static_cast<uint32_t>(n + 127) << 23); }

SMLL_DEVICE float exp_of(float x) {
  x = larger(x, -87.0f);
  const int32_t n = round_to_int(mul(x, 1.44269504f));
  const float nf = from_int(n);
  float r = fma(nf, -0.693145751953125f, x);
  r = fma(nf, -1.42860682e-06f, r);
  float p = 0.00138146078f;
  p = fma(p, r, 0.00836871167f);
  p = fma(p, r, 0.0416683875f);
  p = fma(p, r, 0.166665207f);
  p = fma(p, r, 0.499999935f);
  const float y = fma(p, mul(r, r), add(r, 1.0f));
  return mul(y, power_of_two(n));
}

SMLL_DEVICE float exp_or_zero(float x) { return x < -87.0f ? 0.0f : exp_of(x); }

SMLL_DEVICE float silu(float x) { return div(x, add(1.0f, exp_of(smaller(sub(0.0f, x), 87.0f)))); }

SMLL_DEVICE float gelu(float x) {
  const float twice_u = mul(x, fma(mul(x, x), 0.0713548163f, 1.59576912f));
  return div(x, add(1.0f, exp_of(smaller(sub(0.0f, twice_u), 87.0f))));
}

SMLL_DEVICE float cap(float x, float limit) {
  const float e = exp_of(smaller(mul(x, div(2.0f, limit)), 87.0f));
  return mul(limit, sub(1.0f, div(2.0f, add(1.0f, e))));
}

// The fixed tree: lane i takes lane i + 8, then i + 4, i + 2, i + 1.
SMLL_DEVICE float sum_of_lanes(const float* lanes) {
  float sum[kLanes];
  for (int i = 0; i < kLanes; ++i) sum[i] = lanes[i];
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) sum[i] = add(sum[i], sum[i + half]);
  }
  return sum[0];
}

// The largest magnitude of a block, found in the order that decides what NaN does to it.
SMLL_DEVICE float largest_of_block(const float* x) {
  float most[kLanes];
  for (int i = 0; i < kLanes; ++i) most[i] = larger(magnitude(x[i]), magnitude(x[i + kLanes]));
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) most[i] = larger(most[i], most[i + half]);
  }
  return most[0];
}

// Below 1e-30 the reciprocal could overflow; such a block is as good as zero.
SMLL_DEVICE bool is_tiny(float largest) { return !(largest > 1e-30f); }
SMLL_DEVICE float scale_of(float largest) { return is_tiny(largest) ? 0.0f : div(largest, 127.0f); }
SMLL_DEVICE int32_t quantized(float x, float largest) {
  const float inverse = is_tiny(largest) ? 0.0f : div(127.0f, largest);
  return round_to_int(smaller(larger(mul(x, inverse), -127.0f), 127.0f));
}

// Quantizes x[count], which all threads see, to blocks of a row.
SMLL_DEVICE void quantize(const Block& block, const float* x, int count, int8_t* q8,
                          Scales* scales) {
  block.each([&](int t) {
    for (int i = t; i < count; i += block.threads) {
      const float largest = largest_of_block(x + i / kBlock * kBlock);
      q8[i] = static_cast<int8_t>(quantized(x[i], largest));
    }
  });
  block.each([&](int t) {
    for (int b = t; b < count / kBlock; b += block.threads) {
      int32_t sum = 0;
      for (int i = 0; i < kBlock; i += 4) {
        sum = dot4(word_at(q8 + b * kBlock + i), 0x01010101u, sum);
      }
      const float scale = scale_of(largest_of_block(x + b * kBlock));
      scales[b] = {scale, mul(scale, from_int(sum))};
    }
  });
}

// What x[count], which all threads see, is multiplied by to have an RMS of 1. `lanes`: room for 17
// floats that all threads see; the result is in lanes[16].
SMLL_DEVICE void find_rms_factor(const Block& block, const float* x, int count, float epsilon,
                                 float* lanes) {
  block.each([&](int t) {
    if (t >= kLanes) return;
    float sum = 0.0f;
    for (int i = t; i < count; i += kLanes) sum = fma(x[i], x[i], sum);
    lanes[t] = sum;
  });
  block.each([&](int t) {
    if (t != 0) return;
    const float mean = div(sum_of_lanes(lanes), from_int(count));
    lanes[kLanes] = div(1.0f, square_root(add(mean, epsilon)));
  });
}

}  // namespace smll::exact::cuda
