// The rule by which floats become int8 with one scale (docs/design/exactness.md), for what is not a
// kernel of an instruction set.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/exact_float.h"

namespace smll {

// The nearest integer, ties to even, of |x| < 2^22: adding 1.5 * 2^23 leaves no fraction bits.
inline float round_to_even(float x) { return (x + 12582912.0f) - 12582912.0f; }

// The multiple of 1/inverse nearest to x, as -127..127. Clamped first, because an infinite x or
// inverse makes a NaN, whose conversion would be undefined.
inline std::int8_t quantized(float x, float inverse) {
  x *= inverse;
  x = x > -127.0f ? x : -127.0f;
  x = x < 127.0f ? x : 127.0f;
  return static_cast<std::int8_t>(round_to_even(x));
}

// n values (a multiple of 16) as multiples of the largest one's size / 127, which it returns. NaN
// does not count as large. Where the largest is too small to have a reciprocal, all are 0.
inline float quantize(const float* x, std::size_t n, std::int8_t* q) {
  float lanes[16] = {};  // since one would wait for itself
  for (std::size_t i = 0; i < n; i += 16) {
    for (std::size_t lane = 0; lane < 16; ++lane) {
      const float magnitude = std::fabs(x[i + lane]);
      lanes[lane] = magnitude > lanes[lane] ? magnitude : lanes[lane];
    }
  }
  const float amax = *std::max_element(lanes, lanes + 16);
  const bool tiny = !(amax > 1e-30f);
  const float inverse = tiny ? 0.0f : 127.0f / amax;
  for (std::size_t i = 0; i < n; ++i) q[i] = quantized(x[i], inverse);
  return tiny ? 0.0f : amax / 127.0f;
}

}  // namespace smll
