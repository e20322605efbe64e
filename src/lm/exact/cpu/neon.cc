// Kernels for AArch64 with the dot product extension. See scalar.cc for what each computes.
#include "lm/exact/cpu/kernels.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>

namespace smll::exact {
namespace {

struct F {
  float32x4_t v[4];
};
struct I {
  int32x4_t v[4];
};

template <typename Op>
inline F each(Op op) {
  return {{op(0), op(1), op(2), op(3)}};
}
template <typename Op>
inline I each_int(Op op) {
  return {{op(0), op(1), op(2), op(3)}};
}

// a > b ? a : b, so that NaN behaves as on x86 and not as in FMAX.
inline float32x4_t larger(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
inline float32x4_t smaller(float32x4_t a, float32x4_t b) {
  return vbslq_f32(vcltq_f32(a, b), a, b);
}

inline F splat(float x) {
  return each([&](int) { return vdupq_n_f32(x); });
}
inline F load(const float* p) {
  return each([&](int i) { return vld1q_f32(p + 4 * i); });
}
inline void store(float* p, F x) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, x.v[i]);
}
inline F add(F a, F b) {
  return each([&](int i) { return vaddq_f32(a.v[i], b.v[i]); });
}
inline F sub(F a, F b) {
  return each([&](int i) { return vsubq_f32(a.v[i], b.v[i]); });
}
inline F mul(F a, F b) {
  return each([&](int i) { return vmulq_f32(a.v[i], b.v[i]); });
}
inline F div(F a, F b) {
  return each([&](int i) { return vdivq_f32(a.v[i], b.v[i]); });
}
inline F fma(F a, F b, F c) {
  return each([&](int i) { return vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
}
inline F max(F a, F b) {
  return each([&](int i) { return larger(a.v[i], b.v[i]); });
}
inline F min(F a, F b) {
  return each([&](int i) { return smaller(a.v[i], b.v[i]); });
}
inline F abs(F a) {
  return each([&](int i) { return vabsq_f32(a.v[i]); });
}
inline F select_less(F a, F b, F yes, F no) {
  return each([&](int i) { return vbslq_f32(vcltq_f32(a.v[i], b.v[i]), yes.v[i], no.v[i]); });
}
inline F swap_pairs(F a) {
  return each([&](int i) { return vrev64q_f32(a.v[i]); });
}
inline F to_float(I a) {
  return each([&](int i) { return vcvtq_f32_s32(a.v[i]); });
}
inline I round_to_int(F a) {
  return each_int([&](int i) { return vcvtnq_s32_f32(a.v[i]); });
}
inline I truncate_to_int(F a) {
  return each_int([&](int i) { return vcvtq_s32_f32(a.v[i]); });
}
inline F power_of_two(I n) {
  return each([&](int i) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n.v[i], vdupq_n_s32(127)), 23));
  });
}
inline I add(I a, I b) {
  return each_int([&](int i) { return vaddq_s32(a.v[i], b.v[i]); });
}
inline std::int32_t reduce_add(I a) {
  return vaddvq_s32(vaddq_s32(vaddq_s32(a.v[0], a.v[1]), vaddq_s32(a.v[2], a.v[3])));
}
inline float reduce_add(F a) {
  const float32x4_t v = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  const float32x2_t pair = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(pair, 0) + vget_lane_f32(pair, 1);
}
inline float reduce_max(F a) {
  const float32x4_t v = larger(larger(a.v[0], a.v[2]), larger(a.v[1], a.v[3]));
  const float a0 = vgetq_lane_f32(v, 0), a1 = vgetq_lane_f32(v, 1);
  const float a2 = vgetq_lane_f32(v, 2), a3 = vgetq_lane_f32(v, 3);
  const float even = a0 > a2 ? a0 : a2;
  const float odd = a1 > a3 ? a1 : a3;
  return even > odd ? even : odd;
}
inline int16x8_t narrow(int32x4_t lo, int32x4_t hi) {
  return vcombine_s16(vmovn_s32(lo), vmovn_s32(hi));
}
inline void store_int8(std::int8_t* p, I a) {
  vst1q_s8(p, vcombine_s8(vmovn_s16(narrow(a.v[0], a.v[1])), vmovn_s16(narrow(a.v[2], a.v[3]))));
}
// Swaps the middle two of each four.
inline int16x8_t grouped(int16x8_t x) {
  const uint8x16_t order = {0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15};
  return vreinterpretq_s16_u8(vqtbl1q_u8(vreinterpretq_u8_s16(x), order));
}
inline void store_int16_grouped(std::int16_t* p, I a) {
  vst1q_s16(p, grouped(narrow(a.v[0], a.v[1])));
  vst1q_s16(p + 8, grouped(narrow(a.v[2], a.v[3])));
}
inline void store_uint32_plus_one(std::uint32_t* p, I a) {
  for (int i = 0; i < 4; ++i) {
    vst1q_u32(p + 4 * i, vaddq_u32(vreinterpretq_u32_s32(a.v[i]), vdupq_n_u32(1)));
  }
}
inline float square_root(float x) { return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0); }
inline F square_root(F a) {
  return each([&](int i) { return vsqrtq_f32(a.v[i]); });
}

#include "lm/exact/cpu/vector_ops.inc"
constexpr int kMultiplyRows = 4;
constexpr int kMultiplyVectors = 1;
#include "lm/exact/cpu/gradients.inc"

inline float32x4_t load_halves(const std::uint8_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

// Eight groups of four products: four outputs of one block for one row.
inline int32x4_t dot_block(const int8x16_t* w, const std::int8_t* q) {
  const int8x16_t a0 = vld1q_s8(q);
  const int8x16_t a1 = vld1q_s8(q + 16);
  int32x4_t s = vdupq_n_s32(0);
  s = vdotq_laneq_s32(s, w[0], a0, 0);
  s = vdotq_laneq_s32(s, w[1], a0, 1);
  s = vdotq_laneq_s32(s, w[2], a0, 2);
  s = vdotq_laneq_s32(s, w[3], a0, 3);
  s = vdotq_laneq_s32(s, w[4], a1, 0);
  s = vdotq_laneq_s32(s, w[5], a1, 1);
  s = vdotq_laneq_s32(s, w[6], a1, 2);
  s = vdotq_laneq_s32(s, w[7], a1, 3);
  return s;
}

inline void finish(const GemmArgs& args, int row, int output, float32x4_t acc) {
  float* out = args.out + row * args.out_stride + output;
  if (args.add) acc = vaddq_f32(vld1q_f32(out), acc);
  vst1q_f32(out, acc);
}

// Four outputs (from `first` of the tile) times R rows.
template <int R>
inline void u4_rows(const GemmArgs& args, const std::uint8_t* block, int row, int output) {
  const Activations in = args.input.at(row);
  const std::size_t scale_stride = in.stride / kBlock;
  const int first = output % kTile;
  float32x4_t acc[R];
  for (int r = 0; r < R; ++r) acc[r] = vdupq_n_f32(0.0f);
  for (int b = 0; b < args.blocks; ++b, block += kU4BlockBytes) {
    int8x16_t w[8];
    for (int v = 0; v < 4; ++v) {
      const uint8x16_t packed = vld1q_u8(block + v * 64 + first * 4);
      w[v] = vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(15)));
      w[v + 4] = vreinterpretq_s8_u8(vshrq_n_u8(packed, 4));
    }
    const float32x4_t d = load_halves(block + 256 + first * 2);
    const float32x4_t m = load_halves(block + 288 + first * 2);
    for (int r = 0; r < R; ++r) {
      const int32x4_t s = dot_block(w, in.q8 + r * in.stride + b * kBlock);
      const std::size_t at = r * scale_stride + b;
      acc[r] = vfmaq_f32(acc[r], vmulq_n_f32(d, in.scale[at]), vcvtq_f32_s32(s));
      acc[r] = vfmaq_f32(acc[r], m, vdupq_n_f32(in.scaled_sum[at]));
    }
  }
  for (int r = 0; r < R; ++r) finish(args, row + r, output, acc[r]);
}

template <int R>
inline void s8_rows(const GemmArgs& args, const std::uint8_t* block, int row, int output) {
  const Activations in = args.input.at(row);
  const std::size_t scale_stride = in.stride / kBlock;
  const int first = output % kTile;
  float32x4_t acc[R];
  for (int r = 0; r < R; ++r) acc[r] = vdupq_n_f32(0.0f);
  for (int b = 0; b < args.blocks; ++b, block += kS8BlockBytes) {
    int8x16_t w[8];
    for (int g = 0; g < 8; ++g) w[g] = vreinterpretq_s8_u8(vld1q_u8(block + g * 64 + first * 4));
    const float32x4_t d = vld1q_f32(reinterpret_cast<const float*>(block + 512) + first);
    for (int r = 0; r < R; ++r) {
      const int32x4_t s = dot_block(w, in.q8 + r * in.stride + b * kBlock);
      acc[r] = vfmaq_f32(acc[r], vmulq_n_f32(d, in.scale[r * scale_stride + b]), vcvtq_f32_s32(s));
    }
  }
  for (int r = 0; r < R; ++r) finish(args, row + r, output, acc[r]);
}

template <int R>
struct U4 {
  static void run(const GemmArgs& args, const std::uint8_t* tile, int row, int output) {
    u4_rows<R>(args, tile, row, output);
  }
};
template <int R>
struct S8 {
  static void run(const GemmArgs& args, const std::uint8_t* tile, int row, int output) {
    s8_rows<R>(args, tile, row, output);
  }
};

template <template <int> class Rows>
inline void for_tiles(const GemmArgs& args) {
  for (int t = 0; t < args.tile_count; ++t) {
    const std::uint8_t* tile = args.tiles + t * args.tile_bytes;
    for (int output = t * kTile; output < (t + 1) * kTile; output += 4) {
      int row = 0;
      for (; row + 8 <= args.rows; row += 8) Rows<8>::run(args, tile, row, output);
      for (; row + 4 <= args.rows; row += 4) Rows<4>::run(args, tile, row, output);
      for (; row < args.rows; ++row) Rows<1>::run(args, tile, row, output);
    }
  }
}

void gemm_u4(const GemmArgs& args) { for_tiles<U4>(args); }
void gemm_s8(const GemmArgs& args) { for_tiles<S8>(args); }

// Four dimensions times R rows; each accumulator holds one dimension's four positions apart.
template <int R>
inline void values_rows(const ValueArgs& args, int row, int dim) {
  int32x4_t s[R][4];
  for (int r = 0; r < R; ++r) {
    for (int d = 0; d < 4; ++d) s[r][d] = vdupq_n_s32(0);
  }
  const std::int8_t* v = args.v + dim * 4;
  const std::int16_t* weights = args.weights + row * args.weight_stride;
  for (int g = 0; g < args.groups; ++g, v += args.head_dim * 4, weights += 4) {
    const int8x16_t bytes = vld1q_s8(v);
    // The weights' order, so that they need none of their own.
    const int16x8_t lo = grouped(vmovl_s8(vget_low_s8(bytes)));
    const int16x8_t hi = grouped(vmovl_s8(vget_high_s8(bytes)));
    for (int r = 0; r < R; ++r) {
      const int16x4_t w = vld1_s16(weights + r * args.weight_stride);
      s[r][0] = vmlal_s16(s[r][0], vget_low_s16(lo), w);
      s[r][1] = vmlal_s16(s[r][1], vget_high_s16(lo), w);
      s[r][2] = vmlal_s16(s[r][2], vget_low_s16(hi), w);
      s[r][3] = vmlal_s16(s[r][3], vget_high_s16(hi), w);
    }
  }
  for (int r = 0; r < R; ++r) {
    const int32x4_t sum = vpaddq_s32(vpaddq_s32(s[r][0], s[r][1]), vpaddq_s32(s[r][2], s[r][3]));
    float* out = args.out + (row + r) * args.out_stride + dim;
    vst1q_f32(out, vfmaq_f32(vld1q_f32(out), vdupq_n_f32(args.scale[row + r]), vcvtq_f32_s32(sum)));
  }
}

void add_values(const ValueArgs& args) {
  for (int dim = 0; dim < args.head_dim; dim += 4) {
    int row = 0;
    for (; row + 4 <= args.rows; row += 4) values_rows<4>(args, row, dim);
    for (; row + 3 <= args.rows; row += 3) values_rows<3>(args, row, dim);
    for (; row < args.rows; ++row) values_rows<1>(args, row, dim);
  }
}

#include "lm/exact/cpu/table.inc"

constexpr Kernels kKernels = table_of("neon");

}  // namespace

const Kernels* neon_kernels() { return &kKernels; }

}  // namespace smll::exact

#else

namespace smll::exact {
const Kernels* neon_kernels() { return nullptr; }
}  // namespace smll::exact

#endif
