// Kernels for AVX2 with FMA and F16C. See scalar.cc for what each computes.
#include "lm/exact/cpu/kernels.h"

#if defined(__x86_64__) && defined(__AVX2__)
#include <immintrin.h>

#include <cstring>

namespace smll::exact {
namespace {

struct F {
  __m256 lo, hi;
};
struct I {
  __m256i lo, hi;
};

inline F splat(float x) {
  const __m256 v = _mm256_set1_ps(x);
  return {v, v};
}
inline F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, F x) {
  _mm256_storeu_ps(p, x.lo);
  _mm256_storeu_ps(p + 8, x.hi);
}
inline F add(F a, F b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
inline F sub(F a, F b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
inline F mul(F a, F b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
inline F div(F a, F b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
inline F fma(F a, F b, F c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline F max(F a, F b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
inline F min(F a, F b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
inline F abs(F a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
inline F select_less(F a, F b, F yes, F no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
          _mm256_blendv_ps(no.hi, yes.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ))};
}
inline F swap_pairs(F a) { return {_mm256_permute_ps(a.lo, 0xB1), _mm256_permute_ps(a.hi, 0xB1)}; }
inline F to_float(I a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
inline I round_to_int(F a) { return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)}; }
inline I truncate_to_int(F a) { return {_mm256_cvttps_epi32(a.lo), _mm256_cvttps_epi32(a.hi)}; }
inline __m256 power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
inline F power_of_two(I n) { return {power_of_two(n.lo), power_of_two(n.hi)}; }
inline I add(I a, I b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
inline std::int32_t reduce_add(I a) {
  const __m256i v8 = _mm256_add_epi32(a.lo, a.hi);
  __m128i v = _mm_add_epi32(_mm256_castsi256_si128(v8), _mm256_extracti128_si256(v8, 1));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4E));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0xB1));
  return _mm_cvtsi128_si32(v);
}
inline float reduce_add(F a) {
  const __m256 v8 = _mm256_add_ps(a.lo, a.hi);
  __m128 v = _mm_add_ps(_mm256_castps256_ps128(v8), _mm256_extractf128_ps(v8, 1));
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  v = _mm_add_ss(v, _mm_shuffle_ps(v, v, 1));
  return _mm_cvtss_f32(v);
}
inline float reduce_max(F a) {
  const __m256 v8 = _mm256_max_ps(a.lo, a.hi);
  __m128 v = _mm_max_ps(_mm256_castps256_ps128(v8), _mm256_extractf128_ps(v8, 1));
  v = _mm_max_ps(v, _mm_movehl_ps(v, v));
  v = _mm_max_ss(v, _mm_shuffle_ps(v, v, 1));
  return _mm_cvtss_f32(v);
}
// 16 values in order as int16.
inline __m256i to_int16(I a) {
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(a.lo, a.hi), 0xD8);
}
inline void store_int8(std::int8_t* p, I a) {
  const __m256i w = to_int16(a);
  const __m128i b = _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), b);
}
inline void store_int16_grouped(std::int16_t* p, I a) {
  const __m256i w = _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(to_int16(a), 0xD8), 0xD8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), w);
}
inline void store_uint32_plus_one(std::uint32_t* p, I a) {
  const __m256i one = _mm256_set1_epi32(1);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_add_epi32(a.lo, one));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), _mm256_add_epi32(a.hi, one));
}
inline float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
inline F square_root(F a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }

#include "lm/exact/cpu/prefetch.inc"
#include "lm/exact/cpu/vector_ops.inc"
constexpr int kMultiplyRows = 4;
constexpr int kMultiplyVectors = 1;
#include "lm/exact/cpu/gradients.inc"

inline __m256i load_bytes(const void* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
// Four bytes (or two int16) to all 32-bit lanes.
inline __m256i broadcast4(const void* p) {
  std::int32_t x;
  std::memcpy(&x, p, 4);
  return _mm256_set1_epi32(x);
}
inline __m256 load_halves(const std::uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

inline void finish(const GemmArgs& args, int row, int output, __m256 acc) {
  float* out = args.out + row * args.out_stride + output;
  if (args.add) acc = _mm256_add_ps(_mm256_loadu_ps(out), acc);
  _mm256_storeu_ps(out, acc);
}

// A tile times R rows. The two halves of a tile share each broadcast of activations, which would
// otherwise keep the load ports busier than the multipliers; a block is done in two halves of its
// inputs so that the unpacked nibbles fit the registers. A maddubs lane is at most 2*15*127 and
// eight of them 30480, so a block sums in int16 and needs one widening only.
template <int R>
inline void u4_rows(const GemmArgs& args, const std::uint8_t* block, int row, int output) {
  const Activations in = args.input.at(row);
  const std::ptrdiff_t ahead = fetch_distance(args, row);
  const std::size_t scale_stride = in.stride / kBlock;
  __m256 acc[R][2];
  for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int b = 0; b < args.blocks; ++b, block += kU4BlockBytes) {
    if (ahead != 0) fetch<kU4BlockBytes>(block, ahead);
    __m256i s[R][2];
    for (int part = 0; part < 2; ++part) {
      __m256i w[4][2];
      for (int v = 0; v < 4; ++v) {
        for (int h = 0; h < 2; ++h) {
          const __m256i packed = load_bytes(block + v * 64 + h * 32);
          w[v][h] = _mm256_and_si256(part ? _mm256_srli_epi16(packed, 4) : packed, low);
        }
      }
      for (int r = 0; r < R; ++r) {
        const std::int8_t* q = in.q8 + r * in.stride + b * kBlock + part * 16;
        for (int v = 0; v < 4; ++v) {
          const __m256i a = broadcast4(q + 4 * v);
          for (int h = 0; h < 2; ++h) {
            const __m256i product = _mm256_maddubs_epi16(w[v][h], a);
            s[r][h] = part == 0 && v == 0 ? product : _mm256_add_epi16(s[r][h], product);
          }
        }
      }
    }
    for (int h = 0; h < 2; ++h) {
      const __m256 d = load_halves(block + 256 + 16 * h);
      const __m256 m = load_halves(block + 288 + 16 * h);
      for (int r = 0; r < R; ++r) {
        const std::size_t at = r * scale_stride + b;
        const __m256 dot = _mm256_cvtepi32_ps(_mm256_madd_epi16(s[r][h], ones));
        const __m256 factor = _mm256_mul_ps(d, _mm256_set1_ps(in.scale[at]));
        acc[r][h] = _mm256_fmadd_ps(factor, dot, acc[r][h]);
        acc[r][h] = _mm256_fmadd_ps(m, _mm256_set1_ps(in.scaled_sum[at]), acc[r][h]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int h = 0; h < 2; ++h) finish(args, row + r, output + 8 * h, acc[r][h]);
  }
}

// Bytes as int16: the even ones and the odd ones of each group of four.
inline __m256i even_bytes(__m256i x) { return _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8); }
inline __m256i odd_bytes(__m256i x) { return _mm256_srai_epi16(x, 8); }

// A tile of signed bytes times R rows: the sign of each weight moves to its activation, since
// maddubs wants one side unsigned. Two products of up to 127*127 fit an int16.
template <int R>
inline void s8_rows(const GemmArgs& args, const std::uint8_t* block, int row, int output) {
  const Activations in = args.input.at(row);
  const std::ptrdiff_t ahead = fetch_distance(args, row);
  const std::size_t scale_stride = in.stride / kBlock;
  const __m256i ones = _mm256_set1_epi16(1);
  __m256 acc[R][2];
  for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
  for (int b = 0; b < args.blocks; ++b, block += kS8BlockBytes) {
    if (ahead != 0) fetch<kS8BlockBytes>(block, ahead);
    __m256i s[R][2];
    for (int r = 0; r < R; ++r) s[r][0] = s[r][1] = _mm256_setzero_si256();
    for (int g = 0; g < 8; ++g) {
      const __m256i w[2] = {load_bytes(block + g * 64), load_bytes(block + g * 64 + 32)};
      const __m256i size[2] = {_mm256_abs_epi8(w[0]), _mm256_abs_epi8(w[1])};
      for (int r = 0; r < R; ++r) {
        const __m256i a = broadcast4(in.q8 + r * in.stride + b * kBlock + g * 4);
        for (int h = 0; h < 2; ++h) {
          const __m256i pairs = _mm256_maddubs_epi16(size[h], _mm256_sign_epi8(a, w[h]));
          s[r][h] = _mm256_add_epi32(s[r][h], _mm256_madd_epi16(pairs, ones));
        }
      }
    }
    for (int h = 0; h < 2; ++h) {
      const __m256 d = _mm256_loadu_ps(reinterpret_cast<const float*>(block + 512) + 8 * h);
      for (int r = 0; r < R; ++r) {
        const __m256 factor = _mm256_mul_ps(d, _mm256_set1_ps(in.scale[r * scale_stride + b]));
        acc[r][h] = _mm256_fmadd_ps(factor, _mm256_cvtepi32_ps(s[r][h]), acc[r][h]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int h = 0; h < 2; ++h) finish(args, row + r, output + 8 * h, acc[r][h]);
  }
}

template <template <int> class Rows>
inline void for_tiles(const GemmArgs& args) {
  for (int t = 0; t < args.tile_count; ++t) {
    const std::uint8_t* tile = args.tiles + t * args.tile_bytes;
    int row = 0;
    for (; row + 4 <= args.rows; row += 4) Rows<4>::run(args, tile, row, t * kTile);
    switch (args.rows - row) {
      case 3:
        Rows<3>::run(args, tile, row, t * kTile);
        break;
      case 2:
        Rows<2>::run(args, tile, row, t * kTile);
        break;
      case 1:
        Rows<1>::run(args, tile, row, t * kTile);
        break;
      default:
        break;
    }
  }
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

void gemm_u4(const GemmArgs& args) { for_tiles<U4>(args); }
void gemm_s8(const GemmArgs& args) { for_tiles<S8>(args); }

// 16 dimensions times R rows of weights.
template <int R>
inline void values_rows(const ValueArgs& args, int row, int dim) {
  __m256i s[R][2];
  for (int r = 0; r < R; ++r) s[r][0] = s[r][1] = _mm256_setzero_si256();
  const std::ptrdiff_t ahead = fetch_distance(args, row);
  const std::int8_t* v = args.v + dim * 4;
  const std::int16_t* weights = args.weights + row * args.weight_stride;
  for (int g = 0; g < args.groups; ++g, v += args.head_dim * 4, weights += 4) {
    if (ahead != 0) fetch<64>(v, ahead);
    const __m256i v0 = load_bytes(v);
    const __m256i v1 = load_bytes(v + 32);
    const __m256i even0 = even_bytes(v0), odd0 = odd_bytes(v0);
    const __m256i even1 = even_bytes(v1), odd1 = odd_bytes(v1);
    for (int r = 0; r < R; ++r) {
      const __m256i w_even = broadcast4(weights + r * args.weight_stride);
      const __m256i w_odd = broadcast4(weights + r * args.weight_stride + 2);
      s[r][0] = _mm256_add_epi32(s[r][0], _mm256_madd_epi16(even0, w_even));
      s[r][1] = _mm256_add_epi32(s[r][1], _mm256_madd_epi16(even1, w_even));
      s[r][0] = _mm256_add_epi32(s[r][0], _mm256_madd_epi16(odd0, w_odd));
      s[r][1] = _mm256_add_epi32(s[r][1], _mm256_madd_epi16(odd1, w_odd));
    }
  }
  for (int r = 0; r < R; ++r) {
    const __m256 scale = _mm256_set1_ps(args.scale[row + r]);
    float* out = args.out + (row + r) * args.out_stride + dim;
    for (int h = 0; h < 2; ++h) {
      const __m256 sum = _mm256_cvtepi32_ps(s[r][h]);
      _mm256_storeu_ps(out + 8 * h, _mm256_fmadd_ps(scale, sum, _mm256_loadu_ps(out + 8 * h)));
    }
  }
}

void add_values(const ValueArgs& args) {
  for (int dim = 0; dim < args.head_dim; dim += 16) {
    int row = 0;
    for (; row + 4 <= args.rows; row += 4) values_rows<4>(args, row, dim);
    switch (args.rows - row) {
      case 3:
        values_rows<3>(args, row, dim);
        break;
      case 2:
        values_rows<2>(args, row, dim);
        break;
      case 1:
        values_rows<1>(args, row, dim);
        break;
      default:
        break;
    }
  }
}

#include "lm/exact/cpu/table.inc"

constexpr Kernels kKernels = table_of("avx2");

}  // namespace

const Kernels* avx2_kernels() { return &kKernels; }

}  // namespace smll::exact

#else

namespace smll::exact {
const Kernels* avx2_kernels() { return nullptr; }
}  // namespace smll::exact

#endif
