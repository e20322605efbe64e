// Kernels for AVX-512 with VNNI. See scalar.cc for what each computes.
#include "lm/exact/cpu/avx512_intrinsics.h"
#include "lm/exact/cpu/kernels.h"

#if defined(SMLL_AVX512_SIMDE) || defined(SMLL_AVX512_NATIVE)
#include <cstring>

namespace smll::exact {
namespace {

struct F {
  __m512 v;
};
struct I {
  __m512i v;
};

inline F splat(float x) { return {_mm512_set1_ps(x)}; }
inline F load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, F x) { _mm512_storeu_ps(p, x.v); }
inline F add(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F sub(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F mul(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F div(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline F max(F a, F b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F min(F a, F b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F abs(F a) { return {_mm512_abs_ps(a.v)}; }
inline F select_less(F a, F b, F yes, F no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
inline F swap_pairs(F a) { return {_mm512_shuffle_ps(a.v, a.v, 0xB1)}; }
inline F to_float(I a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline I round_to_int(F a) { return {_mm512_cvtps_epi32(a.v)}; }
inline I truncate_to_int(F a) { return {_mm512_cvttps_epi32(a.v)}; }
inline F power_of_two(I n) {
  const __m512i bits = _mm512_slli_epi32(_mm512_add_epi32(n.v, _mm512_set1_epi32(127)), 23);
  return {_mm512_castsi512_ps(bits)};
}
inline I add(I a, I b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline std::int32_t reduce_add(I a) {
  const __m256i v8 =
      _mm256_add_epi32(_mm512_castsi512_si256(a.v), _mm512_extracti64x4_epi64(a.v, 1));
  __m128i v = _mm_add_epi32(_mm256_castsi256_si128(v8), _mm256_extracti128_si256(v8, 1));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4E));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0xB1));
  return _mm_cvtsi128_si32(v);
}
inline __m256 low_half(F a) { return _mm512_castps512_ps256(a.v); }
inline __m256 high_half(F a) {
  return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1));
}
inline float reduce_add(F a) {
  const __m256 v8 = _mm256_add_ps(low_half(a), high_half(a));
  __m128 v = _mm_add_ps(_mm256_castps256_ps128(v8), _mm256_extractf128_ps(v8, 1));
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  v = _mm_add_ss(v, _mm_shuffle_ps(v, v, 1));
  return _mm_cvtss_f32(v);
}
inline float reduce_max(F a) {
  const __m256 v8 = _mm256_max_ps(low_half(a), high_half(a));
  __m128 v = _mm_max_ps(_mm256_castps256_ps128(v8), _mm256_extractf128_ps(v8, 1));
  v = _mm_max_ps(v, _mm_movehl_ps(v, v));
  v = _mm_max_ss(v, _mm_shuffle_ps(v, v, 1));
  return _mm_cvtss_f32(v);
}
inline void store_int8(std::int8_t* p, I a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
inline void store_int16_grouped(std::int16_t* p, I a) {
  const __m256i w = _mm512_cvtepi32_epi16(a.v);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(w, 0xD8), 0xD8));
}
inline void store_uint32_plus_one(std::uint32_t* p, I a) {
  _mm512_storeu_si512(p, _mm512_add_epi32(a.v, _mm512_set1_epi32(1)));
}
inline float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
inline F square_root(F a) { return {_mm512_sqrt_ps(a.v)}; }

#include "lm/exact/cpu/prefetch.inc"
#include "lm/exact/cpu/vector_ops.inc"
constexpr int kMultiplyRows = 8;
constexpr int kMultiplyVectors = 2;
#include "lm/exact/cpu/gradients.inc"

inline __m512i load_bytes(const void* p) { return _mm512_loadu_si512(p); }
inline __m512i broadcast4(const void* p) {
  std::int32_t x;
  std::memcpy(&x, p, 4);
  return _mm512_set1_epi32(x);
}
inline void finish(const GemmArgs& args, int row, int output, __m512 acc) {
  float* out = args.out + row * args.out_stride + output;
  if (args.add) acc = _mm512_add_ps(_mm512_loadu_ps(out), acc);
  _mm512_storeu_ps(out, acc);
}

// A tile times R rows: nibbles are unsigned bytes, just what vpdpbusd wants.
template <int R>
inline void u4_rows(const GemmArgs& args, const std::uint8_t* block, int row, int output) {
  const Activations in = args.input.at(row);
  const std::ptrdiff_t ahead = fetch_distance(args, row);
  const std::size_t scale_stride = in.stride / kBlock;
  __m512 acc[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) acc[r] = _mm512_setzero_ps();
  const __m512i low = _mm512_set1_epi8(15);
  for (int b = 0; b < args.blocks; ++b, block += kU4BlockBytes) {
    if (ahead != 0) fetch<kU4BlockBytes>(block, ahead);
    __m512i w[8];
    for (int v = 0; v < 4; ++v) {
      const __m512i packed = load_bytes(block + v * 64);
      w[v] = _mm512_and_si512(packed, low);
      w[v + 4] = _mm512_and_si512(_mm512_srli_epi16(packed, 4), low);
    }
    const __m512 d = load_halves(block + 256);
    const __m512 m = load_halves(block + 288);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const std::int8_t* q = in.q8 + r * in.stride + b * kBlock;
      __m512i s = _mm512_setzero_si512();
      for (int g = 0; g < 8; ++g) s = _mm512_dpbusd_epi32(s, w[g], broadcast4(q + 4 * g));
      const std::size_t at = r * scale_stride + b;
      const __m512 factor = _mm512_mul_ps(d, _mm512_set1_ps(in.scale[at]));
      acc[r] = _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(s), acc[r]);
      acc[r] = _mm512_fmadd_ps(m, _mm512_set1_ps(in.scaled_sum[at]), acc[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) finish(args, row + r, output, acc[r]);
}

// Signed bytes become unsigned by adding 128, whose share of the product the row's sums take out
// again.
template <int R>
inline void s8_rows(const GemmArgs& args, const std::uint8_t* block, int row, int output) {
  const Activations in = args.input.at(row);
  const std::ptrdiff_t ahead = fetch_distance(args, row);
  const std::size_t scale_stride = in.stride / kBlock;
  __m512 acc[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) acc[r] = _mm512_setzero_ps();
  const __m512i offset = _mm512_set1_epi8(-128);
  for (int b = 0; b < args.blocks; ++b, block += kS8BlockBytes) {
    if (ahead != 0) fetch<kS8BlockBytes>(block, ahead);
    __m512i w[8];
    for (int g = 0; g < 8; ++g) w[g] = _mm512_xor_si512(load_bytes(block + g * 64), offset);
    const __m512 d = _mm512_loadu_ps(block + 512);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const std::int8_t* q = in.q8 + r * in.stride + b * kBlock;
      const std::size_t at = r * scale_stride + b;
      __m512i s = _mm512_set1_epi32(-128 * in.sum[at]);
      for (int g = 0; g < 8; ++g) s = _mm512_dpbusd_epi32(s, w[g], broadcast4(q + 4 * g));
      const __m512 factor = _mm512_mul_ps(d, _mm512_set1_ps(in.scale[at]));
      acc[r] = _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(s), acc[r]);
    }
  }
#pragma GCC unroll 8
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
    int row = 0;
    for (; row + 8 <= args.rows; row += 8) Rows<8>::run(args, tile, row, t * kTile);
    if (row + 4 <= args.rows) {
      Rows<4>::run(args, tile, row, t * kTile);
      row += 4;
    }
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

void gemm_u4(const GemmArgs& args) { for_tiles<U4>(args); }
void gemm_s8(const GemmArgs& args) { for_tiles<S8>(args); }

// 16 * V dimensions times R rows of weights.
template <int R, int V>
inline void values_rows(const ValueArgs& args, int row, int dim) {
  __m512i s[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int i = 0; i < V; ++i) s[r][i] = _mm512_setzero_si512();
  }
  const std::ptrdiff_t ahead = fetch_distance(args, row);
  const std::int8_t* v = args.v + dim * 4;
  const std::int16_t* weights = args.weights + row * args.weight_stride;
  for (int g = 0; g < args.groups; ++g, v += args.head_dim * 4, weights += 4) {
    if (ahead != 0) fetch<64 * V>(v, ahead);
#pragma GCC unroll 4
    for (int i = 0; i < V; ++i) {
      const __m512i bytes = load_bytes(v + 64 * i);
      const __m512i even = _mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8);
      const __m512i odd = _mm512_srai_epi16(bytes, 8);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const std::int16_t* w = weights + r * args.weight_stride;
        s[r][i] = _mm512_dpwssd_epi32(s[r][i], even, broadcast4(w));
        s[r][i] = _mm512_dpwssd_epi32(s[r][i], odd, broadcast4(w + 2));
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const __m512 scale = _mm512_set1_ps(args.scale[row + r]);
    float* out = args.out + (row + r) * args.out_stride + dim;
#pragma GCC unroll 4
    for (int i = 0; i < V; ++i) {
      const __m512 sum = _mm512_cvtepi32_ps(s[r][i]);
      _mm512_storeu_ps(out + 16 * i, _mm512_fmadd_ps(scale, sum, _mm512_loadu_ps(out + 16 * i)));
    }
  }
}

template <int R, int V>
inline void values(const ValueArgs& args, int row) {
  for (int dim = 0; dim < args.head_dim; dim += 16 * V) values_rows<R, V>(args, row, dim);
}

void add_values(const ValueArgs& args) {
  int row = 0;
  for (; row + 6 <= args.rows; row += 6) values<6, 2>(args, row);
  // One token's heads read their values from memory: in as few passes as the registers allow.
  const bool wide = args.head_dim % 64 == 0;
  for (; row + 3 <= args.rows; row += 3) wide ? values<3, 4>(args, row) : values<3, 2>(args, row);
  for (; row < args.rows; ++row) values<1, 2>(args, row);
}

#include "lm/exact/cpu/table.inc"

constexpr Kernels kKernels = table_of("avx512");

}  // namespace

const Kernels* avx512_kernels() { return &kKernels; }

}  // namespace smll::exact

#else

namespace smll::exact {
const Kernels* avx512_kernels() { return nullptr; }
}  // namespace smll::exact

#endif
