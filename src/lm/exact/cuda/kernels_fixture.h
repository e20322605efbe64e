// What the tests of the GPU's kernels share: a device, random and extreme inputs, and comparing
// bits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "base/fp_env.h"
#include "lm/exact/activations.h"
#include "lm/exact/cuda/test_device.h"

namespace smll::exact::cuda {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

inline const Kernels& scalar() { return scalar_kernels(); }

inline std::uint32_t count32(std::size_t n) { return static_cast<std::uint32_t>(n); }

class CudaKernels : public testing::Test {
 protected:
  const FpEnv environment_;
  const std::unique_ptr<Queue> gpu_ = std::make_unique<Queue>(test_device(SMLL_EMULATED_LIBRARY));
  std::mt19937 random_{7};

  float normal(float spread) { return std::normal_distribution<float>(0.0f, spread)(random_); }

  // Values of all sizes and, where `extreme`, what can go wrong among them.
  std::vector<float> floats(std::size_t n, bool extreme) {
    constexpr float kSpecial[] = {0.0f,   -0.0f, 1e-40f, -1e-40f, 3e38f, -3e38f, 1e-31f,
                                  2e-30f, 1e30f, 88.0f,  -88.0f,  kInf,  -kInf,  kNan};
    std::vector<float> x(n);
    for (float& v : x) {
      v = normal(random_() % 10 == 0 ? 100.0f : 3.0f);
      if (extreme && random_() % 7 == 0) v = kSpecial[random_() % std::size(kSpecial)];
    }
    return x;
  }

  // Blocks of the same magnitude at both ends, or any.
  std::vector<std::int8_t> int8s(std::size_t n, bool saturated) {
    std::vector<std::int8_t> q(n);
    for (std::int8_t& v : q) {
      const int value =
          saturated ? (random_() % 2 ? 127 : -127) : static_cast<int>(random_() % 255) - 127;
      v = static_cast<std::int8_t>(value);
    }
    return q;
  }

  float some_scale(bool extreme) {
    constexpr float kSpecial[] = {0.0f, 1e-38f, 1e-42f, 2e36f, kInf};
    if (extreme && random_() % 5 == 0) return kSpecial[random_() % std::size(kSpecial)];
    return std::fabs(normal(0.1f));
  }
};

// Rows of activations on both sides.
struct Rows {
  ActivationBuffer host;
  Array<std::int8_t> q8;
  Array<Scales> scales;
  std::size_t rows, width;

  Rows(Queue& gpu, std::size_t row_count, std::size_t columns)
      : host(row_count, columns),
        q8(gpu, row_count * columns),
        scales(gpu, row_count * columns / kBlock),
        rows(row_count),
        width(columns) {}

  Activations on_device() const {
    return {q8.get(), scales.get(), static_cast<int>(width / kBlock), 0};
  }
};

inline bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

inline void expect_same(const std::vector<float>& expected, const std::vector<float>& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(same_bits(expected[i], actual[i]))
        << "at " << i << ": " << expected[i] << " and " << actual[i];
  }
}

// What the device has is what the host has.
inline void expect_same(Rows& rows) {
  const exact::Activations host = rows.host.view();
  const std::vector<std::int8_t> q8 = rows.q8.values();
  const std::vector<Scales> scales = rows.scales.values();
  for (std::size_t i = 0; i < q8.size(); ++i) ASSERT_EQ(host.q8[i], q8[i]) << "at " << i;
  for (std::size_t b = 0; b < scales.size(); ++b) {
    ASSERT_TRUE(same_bits(host.scale[b], scales[b].scale)) << "block " << b;
    ASSERT_TRUE(same_bits(host.scaled_sum[b], scales[b].scaled_sum)) << "block " << b;
  }
}

}  // namespace smll::exact::cuda
