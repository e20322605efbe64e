// The logistic domain in integers: every probability and weight of `smll::mix`
// lives here.
//
// A probability is P(bit = 1) in 1/65536, 1..65535. Its stretch ln(p / (1 - p))
// is kept in 1/1024 nat, so that 16-bit probabilities (stretch +-11.09) lose
// nothing measurable on the way there and back. Tables are built with integer
// arithmetic alone: a table made by libm would differ between machines, and so
// would archives. No function fails; arguments outside the ranges given are the
// caller's bug.
//
// Source: M. Mahoney, "Adaptive Weighing of Context Models for Lossless Data
// Compression", 2005.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace smll::mix {

inline constexpr int kStretchOne = 1024;                  // one nat
inline constexpr int kStretchMax = 12 * kStretchOne - 1;  // |stretch| never exceeds this
inline constexpr uint32_t kProbOne = 65536;
inline constexpr uint32_t kProbHalf = 32768;

struct LogisticTables {
  std::array<int16_t, 65536> stretch;           // by probability; [0] repeats [1]
  std::array<uint16_t, kStretchMax + 1> upper;  // squash of 0..kStretchMax
};

// Built on first use, the same on every machine.
const LogisticTables& logistic_tables();

namespace internal {
inline const LogisticTables& g_logistic = logistic_tables();
}  // namespace internal

// Stretch of a probability in 0..65535, within +-kStretchMax.
inline int stretch(uint32_t probability) { return internal::g_logistic.stretch[probability]; }

inline int clamp_stretch(int value) {
  return value > kStretchMax ? kStretchMax : (value < -kStretchMax ? -kStretchMax : value);
}

// Probability (1..65535) of a stretch in +-kStretchMax.
inline uint32_t squash(int value) {
  const auto& upper = internal::g_logistic.upper;
  return value >= 0 ? upper[static_cast<size_t>(value)]
                    : kProbOne - upper[static_cast<size_t>(-value)];
}

}  // namespace smll::mix
