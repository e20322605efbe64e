// The definition of every kernel in plain C++. Slow and readable; the others must equal it bit for
// bit.
#include <cstring>

#include "lm/exact/cpu/half.h"
#include "lm/exact/cpu/kernels.h"
#include "lm/quantize.h"

namespace smll::exact {
namespace {

struct F {
  float v[16];
};
struct I {
  std::int32_t v[16];
};

template <typename Op>
inline F each(Op op) {
  F r;
  for (int i = 0; i < 16; ++i) r.v[i] = op(i);
  return r;
}

inline F splat(float x) {
  return each([&](int) { return x; });
}
inline F load(const float* p) {
  return each([&](int i) { return p[i]; });
}
inline void store(float* p, F x) {
  for (int i = 0; i < 16; ++i) p[i] = x.v[i];
}
inline F add(F a, F b) {
  return each([&](int i) { return a.v[i] + b.v[i]; });
}
inline F sub(F a, F b) {
  return each([&](int i) { return a.v[i] - b.v[i]; });
}
inline F mul(F a, F b) {
  return each([&](int i) { return a.v[i] * b.v[i]; });
}
inline F div(F a, F b) {
  return each([&](int i) { return a.v[i] / b.v[i]; });
}
inline F fma(F a, F b, F c) {
  return each([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
}
// The second operand wins when either is NaN, as x86 does it.
inline float larger(float a, float b) { return a > b ? a : b; }
inline float smaller(float a, float b) { return a < b ? a : b; }
inline F max(F a, F b) {
  return each([&](int i) { return larger(a.v[i], b.v[i]); });
}
inline F min(F a, F b) {
  return each([&](int i) { return smaller(a.v[i], b.v[i]); });
}
inline F abs(F a) {
  return each([&](int i) { return __builtin_fabsf(a.v[i]); });
}
inline F select_less(F a, F b, F yes, F no) {
  return each([&](int i) { return a.v[i] < b.v[i] ? yes.v[i] : no.v[i]; });
}
inline F swap_pairs(F a) {
  return each([&](int i) { return a.v[i ^ 1]; });
}
inline F to_float(I a) {
  return each([&](int i) { return static_cast<float>(a.v[i]); });
}
inline I round_to_int(F a) {
  I r;
  for (int i = 0; i < 16; ++i) r.v[i] = static_cast<std::int32_t>(round_to_even(a.v[i]));
  return r;
}
inline I truncate_to_int(F a) {
  I r;
  for (int i = 0; i < 16; ++i) r.v[i] = static_cast<std::int32_t>(a.v[i]);
  return r;
}
inline F power_of_two(I n) {
  F r;
  for (int i = 0; i < 16; ++i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(n.v[i] + 127) << 23;
    std::memcpy(&r.v[i], &bits, 4);
  }
  return r;
}
inline I add(I a, I b) {
  I r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] + b.v[i];
  return r;
}
inline std::int32_t reduce_add(I a) {
  std::int32_t sum = 0;
  for (int i = 0; i < 16; ++i) sum += a.v[i];
  return sum;
}
// The fixed tree: lane i takes lane i+8, then i+4, i+2, i+1.
inline float reduce_add(F a) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.v[i] = a.v[i] + a.v[i + half];
  }
  return a.v[0];
}
inline float reduce_max(F a) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.v[i] = larger(a.v[i], a.v[i + half]);
  }
  return a.v[0];
}
inline void store_int8(std::int8_t* p, I a) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int8_t>(a.v[i]);
}
inline void store_int16_grouped(std::int16_t* p, I a) {
  constexpr int kOrder[4] = {0, 2, 1, 3};
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int16_t>(a.v[(i & ~3) + kOrder[i & 3]]);
}
inline void store_uint32_plus_one(std::uint32_t* p, I a) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::uint32_t>(a.v[i]) + 1;
}
inline float square_root(float x) { return __builtin_sqrtf(x); }
inline F square_root(F a) {
  return each([&](int i) { return __builtin_sqrtf(a.v[i]); });
}

#include "lm/exact/cpu/vector_ops.inc"
constexpr int kMultiplyRows = 4;
constexpr int kMultiplyVectors = 1;
#include "lm/exact/cpu/gradients.inc"

inline float half_at(const std::uint8_t* p, int i) {
  std::uint16_t h;
  std::memcpy(&h, p + 2 * i, 2);
  return half_to_float(h);
}

inline float float_at(const std::uint8_t* p, int i) {
  float f;
  std::memcpy(&f, p + 4 * i, 4);
  return f;
}

// The weights of one block of a tile as plain integers.
using BlockWeights = std::int16_t[kTile][kBlock];

void unpack_u4(const std::uint8_t* block, BlockWeights w) {
  for (int o = 0; o < kTile; ++o) {
    for (int i = 0; i < 16; ++i) {
      const int byte = block[i / 4 * 64 + o * 4 + i % 4];
      w[o][i] = static_cast<std::int16_t>(byte & 15);
      w[o][16 + i] = static_cast<std::int16_t>(byte >> 4);
    }
  }
}

void unpack_s8(const std::uint8_t* block, BlockWeights w) {
  for (int o = 0; o < kTile; ++o) {
    for (int i = 0; i < kBlock; ++i) {
      w[o][i] = static_cast<std::int8_t>(block[i / 4 * 64 + o * 4 + i % 4]);
    }
  }
}

void dot_products(const BlockWeights w, const std::int8_t* q, std::int32_t* dot) {
  std::int16_t a[kBlock];
  for (int i = 0; i < kBlock; ++i) a[i] = q[i];
  for (int o = 0; o < kTile; ++o) {
    std::int32_t sum = 0;
    for (int i = 0; i < kBlock; ++i) sum += w[o][i] * a[i];
    dot[o] = sum;
  }
}

// A few rows share each unpacked block.
constexpr int kRowGroup = 16;

template <bool kU4>
void rows_of_tile(const GemmArgs& args, int tile, int first, int rows) {
  const std::uint8_t* block = args.tiles + tile * args.tile_bytes;
  float acc[kRowGroup][kTile] = {};
  for (int b = 0; b < args.blocks; ++b, block += kU4 ? kU4BlockBytes : kS8BlockBytes) {
    BlockWeights w;
    (kU4 ? unpack_u4 : unpack_s8)(block, w);
    float d[kTile], m[kTile];
    for (int o = 0; o < kTile; ++o) {
      d[o] = kU4 ? half_at(block + 256, o) : float_at(block + 512, o);
      m[o] = kU4 ? half_at(block + 288, o) : 0.0f;
    }
    for (int r = 0; r < rows; ++r) {
      const Activations row = args.input.at(first + r, b * kBlock);
      std::int32_t dot[kTile];
      dot_products(w, row.q8, dot);
      for (int o = 0; o < kTile; ++o) {
        float* sum = &acc[r][o];
        *sum = __builtin_fmaf(d[o] * row.scale[0], static_cast<float>(dot[o]), *sum);
        if (kU4) *sum = __builtin_fmaf(m[o], row.scaled_sum[0], *sum);
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    float* out = args.out + (first + r) * args.out_stride + tile * kTile;
    for (int o = 0; o < kTile; ++o) out[o] = args.add ? out[o] + acc[r][o] : acc[r][o];
  }
}

template <bool kU4>
void gemm(const GemmArgs& args) {
  for (int t = 0; t < args.tile_count; ++t) {
    for (int r = 0; r < args.rows; r += kRowGroup) {
      rows_of_tile<kU4>(args, t, r, args.rows - r < kRowGroup ? args.rows - r : kRowGroup);
    }
  }
}

void gemm_u4(const GemmArgs& args) { gemm<true>(args); }
void gemm_s8(const GemmArgs& args) { gemm<false>(args); }

void add_values(const ValueArgs& args) {
  constexpr int kOrder[4] = {0, 2, 1, 3};
  for (int r = 0; r < args.rows; ++r) {
    const std::int16_t* w = args.weights + r * args.weight_stride;
    float* out = args.out + r * args.out_stride;
    for (int d = 0; d < args.head_dim; ++d) {
      std::int32_t sum = 0;
      for (int g = 0; g < args.groups; ++g) {
        for (int i = 0; i < 4; ++i) {
          sum += w[4 * g + kOrder[i]] * args.v[(g * args.head_dim + d) * 4 + i];
        }
      }
      out[d] = __builtin_fmaf(args.scale[r], static_cast<float>(sum), out[d]);
    }
  }
}

#include "lm/exact/cpu/table.inc"

}  // namespace

const Kernels& scalar_kernels() {
  static constexpr Kernels kKernels = table_of("scalar");
  return kKernels;
}

}  // namespace smll::exact
