// AVX-512's intrinsics: the processor's where the file is compiled for it (then SMLL_AVX512_NATIVE
// is defined), SIMDe's in a test build that emulates them, else none.
#pragma once

#if defined(SMLL_AVX512_SIMDE)  // a test build that emulates the instructions
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
// Conversions that Debian 12's SIMDe lacks.
#define _mm512_cvtepi32_ps(x)                                                                  \
  _mm512_castpd_ps(_mm512_insertf64x4(                                                         \
      _mm512_castps_pd(_mm512_castps256_ps512(_mm256_cvtepi32_ps(_mm512_castsi512_si256(x)))), \
      _mm256_castps_pd(_mm256_cvtepi32_ps(_mm512_extracti64x4_epi64(x, 1))), 1))
#define _mm512_cvtps_epi32(x)                                                \
  _mm512_inserti64x4(                                                        \
      _mm512_castsi256_si512(_mm256_cvtps_epi32(_mm512_castps512_ps256(x))), \
      _mm256_cvtps_epi32(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1))), 1)
#define _mm512_cvttps_epi32(x)                                                \
  _mm512_inserti64x4(                                                         \
      _mm512_castsi256_si512(_mm256_cvttps_epi32(_mm512_castps512_ps256(x))), \
      _mm256_cvttps_epi32(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1))), 1)
// Plain functions for the two that narrow: their callers' values are in range.
static inline __m256i narrow16(__m512i x) {
  alignas(64) int wide[16];
  alignas(32) short out[16];
  _mm512_store_si512(wide, x);
  for (int i = 0; i < 16; ++i) out[i] = static_cast<short>(wide[i]);
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(out));
}
static inline __m128i narrow8(__m512i x) {
  const __m256i w = narrow16(x);
  return _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
}
#define _mm512_cvtepi32_epi16(x) narrow16(x)
#define _mm512_cvtepi32_epi8(x) narrow8(x)
#elif defined(__x86_64__) && defined(__AVX512F__) && defined(__AVX512BW__) && \
    defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512VNNI__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own header starts results from undefined registers and then warns about it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#define SMLL_AVX512_NATIVE
#endif

#if defined(SMLL_AVX512_SIMDE) || defined(SMLL_AVX512_NATIVE)
#include <cstdint>

namespace smll::exact {
namespace {

// 16 IEEE half floats.
inline __m512 load_halves(const std::uint8_t* p) {
#if defined(SMLL_AVX512_NATIVE)
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#else
  float out[16];
  for (int i = 0; i < 16; i += 8) {
    _mm256_storeu_ps(out + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 2 * i))));
  }
  return _mm512_loadu_ps(out);
#endif
}

}  // namespace
}  // namespace smll::exact
#endif
