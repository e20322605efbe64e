#include "mix/logistic.h"

#include <memory>

namespace smll::mix {
namespace {

// High half of a 64 x 64 bit product, from 32-bit halves: no 128-bit type in
// ISO C++.
uint64_t multiply_high(uint64_t a, uint64_t b) {
  const uint64_t a_low = a & 0xffffffffu, a_high = a >> 32;
  const uint64_t b_low = b & 0xffffffffu, b_high = b >> 32;
  const uint64_t low = a_low * b_low;
  const uint64_t middle = a_high * b_low + (low >> 32);
  const uint64_t middle2 = a_low * b_high + (middle & 0xffffffffu);
  return a_high * b_high + (middle >> 32) + (middle2 >> 32);
}

constexpr uint64_t kExpMinusStep = 0xffc007ff555fff77u;  // e^(-1/1024) in 1/2^64, by its series

std::unique_ptr<const LogisticTables> build() {
  auto tables = std::make_unique<LogisticTables>();
  // exp_minus = e^(-value/1024) in 1/2^64; squash(value) = 1 / (1 + e^-value).
  uint64_t exp_minus = ~uint64_t{0};
  uint32_t filled = kProbHalf;  // stretch is the inverse: fill it as squash
                                // passes each probability
  for (int value = 0; value <= kStretchMax; ++value) {
    const uint64_t denominator = (uint64_t{1} << 47) + (exp_minus >> 17);
    uint64_t probability = ((uint64_t{1} << 63) + denominator / 2) / denominator;
    if (probability > kProbOne - 1) probability = kProbOne - 1;
    tables->upper[static_cast<size_t>(value)] = static_cast<uint16_t>(probability);
    // k is reached once e^-value <= (65536 - k) / k.
    while (filled < kProbOne) {
      const uint64_t odds = (uint64_t{kProbOne - filled} << 46) / filled;
      if ((exp_minus >> 18) > odds) break;
      tables->stretch[filled] = static_cast<int16_t>(value);
      tables->stretch[kProbOne - filled] = static_cast<int16_t>(-value);
      ++filled;
    }
    exp_minus = multiply_high(exp_minus, kExpMinusStep);
  }
  tables->stretch[kProbHalf] = 0;
  tables->stretch[0] = tables->stretch[1];
  return tables;
}

}  // namespace

const LogisticTables& logistic_tables() {
  static const std::unique_ptr<const LogisticTables> kTables = build();
  return *kTables;
}

}  // namespace smll::mix
