// Each kernel against its scalar twin, bit for bit, on random and extreme inputs.
#include "lm/exact/cpu/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "lm/exact/activations.h"
#include "lm/exact/isa.h"
#include "lm/frequencies.h"

namespace smll::exact {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The kernels to test: those the processor has or the build emulates.
std::vector<const Kernels*> tables() {
  std::vector<const Kernels*> result;
  for (Isa isa : supported_isas()) result.push_back(&kernels_for(isa));
  return result;
}

// Equal bits, except that any NaN equals any other: their payloads differ between processors.
testing::AssertionResult same(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], 4) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]))) {
      return testing::AssertionFailure() << "at " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return testing::AssertionSuccess();
}

std::vector<float> random_floats(std::size_t n, unsigned seed, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> x(n);
  for (float& v : x) v = normal(random);
  return x;
}

// Random rows with the special cases sprinkled in.
std::vector<float> extreme_floats(std::size_t n, unsigned seed) {
  std::vector<float> x = random_floats(n, seed, 10.0f);
  constexpr float kSpecial[] = {0.0f,   -0.0f,  1e-40f, -1e-40f, 3e38f,
                                -3e38f, 1e-31f, kInf,   -kInf,   kNan};
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < n; ++i) {
    if (random() % 7 == 0) x[i] = kSpecial[random() % std::size(kSpecial)];
  }
  return x;
}

struct Quantized {
  ActivationBuffer buffer;
  Activations view;
};

Quantized random_activations(std::size_t rows, std::size_t columns, unsigned seed, bool extreme) {
  Quantized q{ActivationBuffer(rows, columns), {}};
  q.view = q.buffer.view();
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < rows * columns; ++i) {
    q.view.q8[i] = static_cast<std::int8_t>(extreme ? (random() % 2 ? 127 : -127)
                                                    : static_cast<int>(random() % 255) - 127);
  }
  for (std::size_t b = 0; b < rows * columns / kBlock; ++b) {
    q.view.scale[b] = static_cast<float>(random() % 1000 + 1) / 3000.0f;
    q.view.sum[b] = 0;
    for (int i = 0; i < kBlock; ++i) q.view.sum[b] += q.view.q8[b * kBlock + i];
    q.view.scaled_sum[b] = q.view.scale[b] * static_cast<float>(q.view.sum[b]);
  }
  return q;
}

std::vector<std::uint8_t> random_tiles(int tiles, int blocks, bool u4, unsigned seed,
                                       bool extreme) {
  std::mt19937 random(seed);
  const std::size_t bytes = u4 ? kU4BlockBytes : kS8BlockBytes;
  const std::size_t quants = u4 ? 256 : 512;
  std::vector<std::uint8_t> data(bytes * tiles * blocks);
  for (std::size_t block = 0; block < data.size(); block += bytes) {
    for (std::size_t i = 0; i < quants; ++i) {
      const int value =
          u4 ? static_cast<int>(random() % 256) : static_cast<int>(random() % 255) - 127;
      const int limit = u4 ? 255 : (random() % 2 ? 127 : -127);
      data[block + i] = static_cast<std::uint8_t>(extreme ? limit : value);
    }
    for (int o = 0; o < kTile; ++o) {
      const std::uint16_t halves[2] = {static_cast<std::uint16_t>(random() % 0x4000),
                                       static_cast<std::uint16_t>(0x8000 + random() % 0x4000)};
      const float scale = static_cast<float>(random() % 1000) / 777.0f;
      if (u4) {
        std::memcpy(&data[block + 256 + 2 * o], &halves[0], 2);
        std::memcpy(&data[block + 288 + 2 * o], &halves[1], 2);
      } else {
        std::memcpy(&data[block + 512 + 4 * o], &scale, 4);
      }
    }
  }
  return data;
}

TEST(Kernels, MatrixProductsEqualTheScalarOnes) {
  for (const Kernels* kernels : tables()) {
    for (bool u4 : {true, false}) {
      for (int rows : {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 20, 35}) {
        for (int blocks : {1, 2, 18}) {
          const bool extreme = rows == 4;
          const int tiles = 3;
          Quantized in = random_activations(rows, blocks * kBlock, rows * 100 + blocks, extreme);
          const auto packed = random_tiles(tiles, blocks, u4, rows + blocks, extreme);
          std::vector<float> expected(rows * tiles * kTile, 0.5f), actual = expected;
          GemmArgs args = {
              packed.data(),   packed.size() / tiles,      tiles,        blocks, in.view, rows,
              expected.data(), std::size_t{tiles} * kTile, rows % 2 == 1};
          const Kernels& scalar = scalar_kernels();
          (u4 ? scalar.gemm_u4 : scalar.gemm_s8)(args);
          args.out = actual.data();
          (u4 ? kernels->gemm_u4 : kernels->gemm_s8)(args);
          EXPECT_TRUE(same(expected, actual)) << kernels->name << " u4=" << u4 << " rows=" << rows;
        }
      }
    }
  }
}

void expect_equal_value_sums(const Kernels& kernels, int rows, int dim, int groups) {
  const bool extreme = rows == 4;
  std::mt19937 random(rows * 1000 + dim + groups);
  std::vector<std::int8_t> v(groups * dim * 4);
  for (auto& x : v) {
    x = static_cast<std::int8_t>(extreme ? 127 : static_cast<int>(random() % 255) - 127);
  }
  std::vector<std::int16_t> weights(rows * groups * 4);
  for (auto& x : weights) x = static_cast<std::int16_t>(extreme ? 32767 : random() % 32768);
  const std::vector<float> scale = random_floats(rows, 3, 0.01f);
  std::vector<float> expected = random_floats(rows * dim, 9, 1.0f), actual = expected;
  ValueArgs args = {v.data(),
                    groups,
                    dim,
                    weights.data(),
                    std::size_t(groups) * 4,
                    scale.data(),
                    rows,
                    expected.data(),
                    static_cast<std::size_t>(dim)};
  scalar_kernels().add_values(args);
  args.out = actual.data();
  kernels.add_values(args);
  EXPECT_TRUE(same(expected, actual))
      << kernels.name << " rows=" << rows << " dim=" << dim << " groups=" << groups;
}

TEST(Kernels, ValueSumsEqualTheScalarOnes) {
  for (const Kernels* kernels : tables()) {
    for (int rows : {1, 2, 3, 4, 6, 9, 12, 16, 24, 35}) {
      for (int dim : {32, 64, 96, 128}) {
        // A whole number of 64 positions, and not.
        for (int groups : {64, 4, 28, 128}) expect_equal_value_sums(*kernels, rows, dim, groups);
      }
    }
  }
}

TEST(Kernels, QuantizationEqualsTheScalarOne) {
  constexpr std::size_t kColumns = 32 * 64;
  for (const Kernels* kernels : tables()) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      const auto x =
          seed % 2 ? random_floats(kColumns, seed, 1.0f) : extreme_floats(kColumns, seed);
      ActivationBuffer a(1, kColumns), b(1, kColumns);
      scalar_kernels().quantize(x.data(), kColumns, a.view());
      kernels->quantize(x.data(), kColumns, b.view());
      const Activations va = a.view(), vb = b.view();
      EXPECT_EQ(0, std::memcmp(va.q8, vb.q8, kColumns)) << kernels->name;
      EXPECT_EQ(0, std::memcmp(va.sum, vb.sum, kColumns / kBlock * 4)) << kernels->name;
      const std::vector<float> sa(va.scale, va.scale + 64), sb(vb.scale, vb.scale + 64);
      EXPECT_TRUE(same(sa, sb)) << kernels->name;
      for (std::size_t i = 0; i < kColumns; ++i) ASSERT_GE(vb.q8[i], -127);
    }
  }
}

// A build that leaves one out would be as exact, and several times slower.
TEST(Kernels, TheBuildHasThoseOfItsArchitecture) {
#if defined(__x86_64__)
  EXPECT_NE(avx2_kernels(), nullptr);
  EXPECT_NE(avx512_kernels(), nullptr);
  EXPECT_NE(amx_kernels(), nullptr);
#elif defined(__aarch64__)
  EXPECT_NE(neon_kernels(), nullptr);
#endif
}

TEST(Kernels, ElementwiseOperationsEqualTheScalarOnes) {
  constexpr std::size_t kSize = 576;
  const Kernels& scalar = scalar_kernels();
  for (const Kernels* kernels : tables()) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      const auto x = seed % 2 ? random_floats(kSize, seed, 3.0f) : extreme_floats(kSize, seed);
      const auto y = random_floats(kSize, seed + 100, 1.0f);
      const auto z = random_floats(kSize, seed + 200, 1.0f);
      std::vector<float> a(kSize), b(kSize);
      scalar.rms_norm(x.data(), y.data(), 1e-5f, kSize, a.data());
      kernels->rms_norm(x.data(), y.data(), 1e-5f, kSize, b.data());
      EXPECT_TRUE(same(a, b)) << kernels->name << " rms_norm";
      a = b = x;
      scalar.silu_mul(a.data(), y.data(), kSize);
      kernels->silu_mul(b.data(), y.data(), kSize);
      EXPECT_TRUE(same(a, b)) << kernels->name << " silu_mul";
      a = b = x;
      scalar.gelu_mul(a.data(), y.data(), kSize);
      kernels->gelu_mul(b.data(), y.data(), kSize);
      EXPECT_TRUE(same(a, b)) << kernels->name << " gelu_mul";
      a = b = x;
      scalar.cap(a.data(), 30.0f, kSize);
      kernels->cap(b.data(), 30.0f, kSize);
      EXPECT_TRUE(same(a, b)) << kernels->name << " cap";
      a = b = x;
      scalar.rotate(a.data(), y.data(), z.data(), kSize);
      kernels->rotate(b.data(), y.data(), z.data(), kSize);
      EXPECT_TRUE(same(a, b)) << kernels->name << " rotate";
      a = b = x;
      scalar.scale(a.data(), 0.3f, kSize);
      kernels->scale(b.data(), 0.3f, kSize);
      EXPECT_TRUE(same(a, b)) << kernels->name << " scale";
      a = {scalar.max_value(x.data(), kSize), scalar.sum_lanes(x.data())};
      b = {kernels->max_value(x.data(), kSize), kernels->sum_lanes(x.data())};
      EXPECT_TRUE(same(a, b)) << kernels->name << " reductions";
    }
  }
}

TEST(Kernels, SoftmaxChunksEqualTheScalarOnes) {
  constexpr int kCount = 256;
  for (const Kernels* kernels : tables()) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      std::vector<float> scores = random_floats(kCount, seed, seed % 3 ? 5.0f : 60.0f);
      for (int i = 0; i < kCount; ++i) {
        if (seed == 7 || i % 11 == 0) scores[i] = -3.402823466e38f;
      }
      std::vector<float> v_scale = random_floats(kCount, seed + 1, 1.0f);
      for (float& s : v_scale) s = std::fabs(s);
      const float max = scalar_kernels().max_value(scores.data(), kCount);
      std::vector<float> sums_a(16, 0.25f), sums_b(16, 0.25f), scratch(kCount);
      std::vector<std::int16_t> a(kCount), b(kCount);
      const float scale_a = scalar_kernels().softmax_chunk(
          {scores.data(), v_scale.data(), kCount, max, sums_a.data(), scratch.data(), a.data()});
      const float scale_b = kernels->softmax_chunk(
          {scores.data(), v_scale.data(), kCount, max, sums_b.data(), scratch.data(), b.data()});
      EXPECT_TRUE(same({scale_a}, {scale_b})) << kernels->name;
      EXPECT_TRUE(same(sums_a, sums_b)) << kernels->name;
      EXPECT_EQ(a, b) << kernels->name;
    }
  }
}

TEST(Kernels, FrequenciesEqualTheScalarOnesAndTheFormula) {
  for (const Kernels* kernels : tables()) {
    for (std::size_t n : {1u, 15u, 16u, 17u, 1000u}) {
      auto logits = n == 1000 ? extreme_floats(n, 3) : random_floats(n, 4, 5.0f);
      for (float& l : logits) {
        if (l == kInf) l = 1.0f;
      }
      std::vector<std::uint32_t> a(n), b(n);
      scalar_kernels().frequencies(logits.data(), n, a.data());
      kernels->frequencies(logits.data(), n, b.data());
      EXPECT_EQ(a, b) << kernels->name;
      if (n == 1000) continue;
      float max = logits[0];
      for (float l : logits) max = std::max(max, l);
      for (std::size_t i = 0; i < n; ++i) {
        const double exact = std::exp(static_cast<double>(logits[i]) - max) * 1073741824.0 + 1.0;
        EXPECT_NEAR(static_cast<double>(b[i]), exact, exact * 2e-6 + 1.0);
      }
    }
  }
}

TEST(Kernels, FloatProductsEqualTheScalarOnes) {
  for (const Kernels* kernels : tables()) {
    for (int rows : {1, 3, 4, 8, 15, 16, 37}) {
      for (bool transposed : {false, true}) {
        const int inner = 19, columns = 48;
        const auto a = rows == 15 ? extreme_floats(rows * inner, 1) : random_floats(999, 2, 1.0f);
        const auto b = random_floats(inner * columns, 3, 1.0f);
        std::vector<float> expected = random_floats(rows * columns, 4, 1.0f), actual = expected;
        MultiplyArgs args = {};
        args.a = a.data();
        args.a_row = transposed ? 1 : inner;
        args.a_inner = transposed ? rows : 1;
        args.b = b.data();
        args.b_stride = columns;
        args.c = expected.data();
        args.c_stride = columns;
        args.rows = rows;
        args.inner = inner;
        args.columns = columns;
        args.add = rows % 2 == 1;
        scalar_kernels().multiply(args);
        args.c = actual.data();
        kernels->multiply(args);
        EXPECT_TRUE(same(expected, actual)) << kernels->name << " rows=" << rows;
        if (rows == 15) continue;
        double sum = args.add ? random_floats(1, 4, 1.0f)[0] : 0.0;
        for (int p = 0; p < inner; ++p) sum += double{a[p * args.a_inner]} * b[p * columns];
        EXPECT_NEAR(sum, actual[0], 1e-4);
      }
    }
  }
}

TEST(Kernels, GradientsEqualTheScalarOnes) {
  constexpr std::size_t kCount = 96;
  for (const Kernels* kernels : tables()) {
    for (bool extreme : {false, true}) {
      const auto values = [&](unsigned seed) {
        return extreme ? extreme_floats(kCount, seed) : random_floats(kCount, seed, 2.0f);
      };
      auto gate = values(1), up = values(2), gate_too = gate, up_too = up;
      const auto gradient = values(3), weight = values(4);
      scalar_kernels().silu_gradient(gate.data(), up.data(), gradient.data(), kCount);
      kernels->silu_gradient(gate_too.data(), up_too.data(), gradient.data(), kCount);
      EXPECT_TRUE(same(gate, gate_too)) << kernels->name;
      EXPECT_TRUE(same(up, up_too)) << kernels->name;
      gate = gate_too = values(1);
      up = up_too = values(2);
      scalar_kernels().gelu_gradient(gate.data(), up.data(), gradient.data(), kCount);
      kernels->gelu_gradient(gate_too.data(), up_too.data(), gradient.data(), kCount);
      EXPECT_TRUE(same(gate, gate_too)) << kernels->name;
      EXPECT_TRUE(same(up, up_too)) << kernels->name;

      auto scores = values(9), scores_too = scores, slopes = values(10), slopes_too = slopes;
      scalar_kernels().softmax_gradient(
          {scores.data(), slopes.data(), kCount, 1.5f, 0.25f, 0.125f});
      kernels->softmax_gradient(
          {scores_too.data(), slopes_too.data(), kCount, 1.5f, 0.25f, 0.125f});
      EXPECT_TRUE(same(scores, scores_too)) << kernels->name;
      EXPECT_TRUE(same(slopes, slopes_too)) << kernels->name;

      const auto x = values(5);
      auto out = values(6), out_too = out;
      scalar_kernels().rms_norm_gradient(
          {x.data(), weight.data(), gradient.data(), 1e-5f, kCount, out.data()});
      kernels->rms_norm_gradient(
          {x.data(), weight.data(), gradient.data(), 1e-5f, kCount, out_too.data()});
      EXPECT_TRUE(same(out, out_too)) << kernels->name;

      auto w = values(7), square = values(8);
      for (float& v : square) v = std::fabs(v);
      auto w_too = w, square_too = square;
      const RmsStepArgs step = {gradient.data(), w.data(), square.data(), kCount,
                                0.99f,           1e-3f,    50.0f,         1e-6f};
      scalar_kernels().rms_step(step);
      RmsStepArgs step_too = step;
      step_too.weight = w_too.data();
      step_too.square = square_too.data();
      kernels->rms_step(step_too);
      EXPECT_TRUE(same(w, w_too)) << kernels->name;
      EXPECT_TRUE(same(square, square_too)) << kernels->name;
    }
  }
}

TEST(Kernels, GeluAndCapAreTheirFormulas) {
  const Kernels& k = scalar_kernels();
  std::vector<float> x;
  for (int i = -800; i < 800; ++i) x.push_back(static_cast<float>(i) / 64.0f);
  std::vector<float> gelu = x, capped = x;
  const std::vector<float> ones(x.size(), 1.0f);
  k.gelu_mul(gelu.data(), ones.data(), x.size());
  k.cap(capped.data(), 5.0f, x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    const double u = std::sqrt(2.0 / std::acos(-1.0)) * (v + 0.044715 * v * v * v);
    EXPECT_NEAR(gelu[i], 0.5 * v * (1.0 + std::tanh(u)), 3e-6 * std::max(1.0, std::abs(v)));
    EXPECT_NEAR(capped[i], 5.0 * std::tanh(v / 5.0), 3e-6);
  }
  float far[16] = {-1e30f, 1e30f, -3e38f, 3e38f};
  const float one[16] = {1.0f, 1.0f, 1.0f, 1.0f};
  k.gelu_mul(far, one, 16);
  EXPECT_NEAR(far[0], 0.0f, 1e-6f);
  EXPECT_EQ(far[1], 1e30f);
  EXPECT_EQ(far[3], 3e38f);
}

// Against differences of the functions themselves.
TEST(Kernels, GradientsAreThoseOfTheFunctions) {
  constexpr std::size_t kCount = 32;
  constexpr float kStep = 1e-2f;
  const Kernels& k = scalar_kernels();
  const auto gradient = random_floats(kCount, 1, 1.0f), weight = random_floats(kCount, 2, 1.0f);
  const auto along = [&](const std::vector<float>& y) {
    double sum = 0;
    for (std::size_t i = 0; i < kCount; ++i) sum += double{y[i]} * gradient[i];
    return sum;
  };
  const auto norm = [&](std::vector<float> x) {
    std::vector<float> y(kCount);
    k.rms_norm(x.data(), weight.data(), 1e-5f, kCount, y.data());
    return along(y);
  };
  const auto silu = [&](std::vector<float> gate, const std::vector<float>& up) {
    k.silu_mul(gate.data(), up.data(), kCount);
    return along(gate);
  };
  const auto gelu = [&](std::vector<float> gate, const std::vector<float>& up) {
    k.gelu_mul(gate.data(), up.data(), kCount);
    return along(gate);
  };
  const auto x = random_floats(kCount, 3, 1.0f), gate = random_floats(kCount, 4, 1.0f);
  std::vector<float> of_x(kCount), of_gate = gate, of_up = x;
  k.rms_norm_gradient({x.data(), weight.data(), gradient.data(), 1e-5f, kCount, of_x.data()});
  std::vector<float> of_gelu_gate = gate, of_gelu_up = x;
  k.silu_gradient(of_gate.data(), of_up.data(), gradient.data(), kCount);
  k.gelu_gradient(of_gelu_gate.data(), of_gelu_up.data(), gradient.data(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto moved = [&](std::vector<float> v, float by) {
      v[i] += by;
      return v;
    };
    const auto slope = [&](const auto& f) { return (f(kStep) - f(-kStep)) / (2 * kStep); };
    EXPECT_NEAR(slope([&](float by) { return norm(moved(x, by)); }), of_x[i], 2e-3);
    EXPECT_NEAR(slope([&](float by) { return silu(moved(gate, by), x); }), of_gate[i], 2e-3);
    EXPECT_NEAR(slope([&](float by) { return silu(gate, moved(x, by)); }), of_up[i], 2e-3);
    EXPECT_NEAR(slope([&](float by) { return gelu(moved(gate, by), x); }), of_gelu_gate[i], 2e-3);
    EXPECT_NEAR(slope([&](float by) { return gelu(gate, moved(x, by)); }), of_gelu_up[i], 2e-3);
  }
}

#if defined(__x86_64__)
using TileConfiguration = std::array<std::uint8_t, 64>;
__attribute__((target("amx-tile"))) void store_tiles(TileConfiguration& to) {
  asm volatile("sttilecfg (%0)" : : "r"(to.data()) : "memory");
}
__attribute__((target("amx-tile"))) void load_tiles(const TileConfiguration& from) {
  asm volatile("ldtilecfg (%0)" : : "r"(from.data()) : "memory");
}

TEST(Kernels, TheCallersTilesAreKept) {
  const auto& isas = supported_isas();
  if (std::find(isas.begin(), isas.end(), Isa::kAmx) == isas.end()) {
    GTEST_SKIP() << "this processor has no AMX";
  }
  TileConfiguration callers = {1};
  callers[16] = 48;  // bytes of tile 0's rows
  callers[48] = 3;   // its rows
  load_tiles(callers);
  {
    const KernelScope scope(*amx_kernels());
    Quantized in = random_activations(20, kBlock, 1, false);
    const auto packed = random_tiles(1, 1, false, 1, false);
    std::vector<float> out(20 * kTile);
    amx_kernels()->gemm_s8(
        {packed.data(), packed.size(), 1, 1, in.view, 20, out.data(), kTile, false});
    TileConfiguration ours;
    store_tiles(ours);
    EXPECT_NE(callers, ours);
  }
  TileConfiguration after;
  store_tiles(after);
  EXPECT_EQ(callers, after);
  load_tiles({});
}
#endif

TEST(Softmax, SumsAreExact) {
  std::mt19937 random(1);
  std::vector<std::uint32_t> freq(1003);
  for (auto& f : freq) f = random();
  std::vector<std::uint64_t> sums(freq.size() / lm::kSumBlock + 1);
  lm::prefix_sums(freq, sums);
  for (int i = 0; i < 200; ++i) {
    std::size_t begin = random() % 1004, end = random() % 1004;
    std::uint64_t expected = 0;
    for (std::size_t j = begin; j < end; ++j) expected += freq[j];
    EXPECT_EQ(expected, lm::range_sum(freq, sums, begin, end));
  }
}

}  // namespace
}  // namespace smll::exact
