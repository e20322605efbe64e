// The inner loops of mixing: weighted sum, weight update, error. Same results
// in vector and in plain code.
//
// dot() and train() are what every machine of the build's kind has, to be
// inlined where inputs are few; kernels() are the best of this machine, for
// many inputs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "mix/logistic.h"

namespace smll::mix {

inline constexpr int32_t kWeightMax = 8 * 65536 - 1;

// Weights are held in 1/65536 to learn finely, and multiplied in 1/4096 as
// 16-bit numbers, which is what baseline vector units multiply. Sums wrap by
// definition: no input that fits its range can reach that before every weight
// is absurd. The SSE2 code and the plain code give the same results.
#if defined(__SSE2__)

// Four sums of eight products.
inline __m128i dot_eight(const int16_t* inputs, const int32_t* weights) {
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(inputs));
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights));
  const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + 4));
  return _mm_madd_epi16(x, _mm_packs_epi32(_mm_srai_epi32(low, 4), _mm_srai_epi32(high, 4)));
}

// The stretch that four sums add up to.
inline int stretch_of(__m128i sums) {
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1));
  return clamp_stretch(_mm_cvtsi128_si32(sums) >> 12);
}

inline int dot(const int16_t* inputs, const int32_t* weights, size_t stride) {
  __m128i sum = _mm_setzero_si128();
  for (size_t i = 0; i < stride; i += 8) {
    sum = _mm_add_epi32(sum, dot_eight(inputs + i, weights + i));
  }
  return stretch_of(sum);
}

inline __m128i clamp_weights(__m128i w) {
  const __m128i most = _mm_set1_epi32(kWeightMax);
  const __m128i least = _mm_set1_epi32(-kWeightMax);
  const __m128i above = _mm_cmpgt_epi32(w, most);
  w = _mm_or_si128(_mm_and_si128(above, most), _mm_andnot_si128(above, w));
  const __m128i below = _mm_cmplt_epi32(w, least);
  return _mm_or_si128(_mm_and_si128(below, least), _mm_andnot_si128(below, w));
}

inline void train(const int16_t* inputs, int32_t* weights, size_t stride, int32_t error) {
  const __m128i e = _mm_set1_epi16(static_cast<int16_t>(error));
  const __m128i half = _mm_set1_epi32(1 << 15);
  for (size_t i = 0; i < stride; i += 8) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(inputs + i));
    const __m128i low = _mm_mullo_epi16(x, e);
    const __m128i high = _mm_mulhi_epi16(x, e);
    auto* at = reinterpret_cast<__m128i*>(weights + i);
    const __m128i step0 = _mm_srai_epi32(_mm_add_epi32(_mm_unpacklo_epi16(low, high), half), 16);
    const __m128i step1 = _mm_srai_epi32(_mm_add_epi32(_mm_unpackhi_epi16(low, high), half), 16);
    _mm_storeu_si128(at, clamp_weights(_mm_add_epi32(_mm_loadu_si128(at), step0)));
    _mm_storeu_si128(at + 1, clamp_weights(_mm_add_epi32(_mm_loadu_si128(at + 1), step1)));
  }
}

#else

inline int dot(const int16_t* inputs, const int32_t* weights, size_t stride) {
  uint32_t sum = 0;
  for (size_t i = 0; i < stride; ++i) {
    const int32_t weight = std::clamp(weights[i] >> 4, -32768, 32767);
    sum += static_cast<uint32_t>(inputs[i] * weight);
  }
  return clamp_stretch(static_cast<int32_t>(sum) >> 12);
}

inline void train(const int16_t* inputs, int32_t* weights, size_t stride, int32_t error) {
  for (size_t i = 0; i < stride; ++i) {
    const int32_t step = (inputs[i] * error + (1 << 15)) >> 16;
    weights[i] = std::clamp(weights[i] + step, -kWeightMax, kWeightMax);
  }
}

#endif

struct MixerKernels {
  int (*dot)(const int16_t* inputs, const int32_t* weights, size_t stride);
  void (*train)(const int16_t* inputs, int32_t* weights, size_t stride, int32_t error);
};

#if defined(__SSE2__)

__attribute__((target("avx2"))) inline int dot_avx2(const int16_t* inputs, const int32_t* weights,
                                                    size_t stride) {
  __m256i sums = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 16 <= stride; i += 16) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(inputs + i));
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + i));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + i + 8));
    const __m256i w = _mm256_packs_epi32(_mm256_srai_epi32(low, 4), _mm256_srai_epi32(high, 4));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x, _mm256_permute4x64_epi64(w, 0xd8)));
  }
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  if (i < stride) sum = _mm_add_epi32(sum, dot_eight(inputs + i, weights + i));
  return stretch_of(sum);
}

__attribute__((target("avx2"))) inline void train_avx2(const int16_t* inputs, int32_t* weights,
                                                       size_t stride, int32_t error) {
  const __m256i e = _mm256_set1_epi32(error & 0xffff);  // no second factor in the upper halves
  const __m256i half = _mm256_set1_epi32(1 << 15);
  const __m256i most = _mm256_set1_epi32(kWeightMax);
  const __m256i least = _mm256_set1_epi32(-kWeightMax);
  for (size_t i = 0; i < stride; i += 8) {
    const __m256i x =
        _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(inputs + i)));
    const __m256i product = _mm256_madd_epi16(x, e);
    const __m256i step = _mm256_srai_epi32(_mm256_add_epi32(product, half), 16);
    auto* at = reinterpret_cast<__m256i*>(weights + i);
    const __m256i w = _mm256_add_epi32(_mm256_loadu_si256(at), step);
    _mm256_storeu_si256(at, _mm256_max_epi32(_mm256_min_epi32(w, most), least));
  }
}

#endif

inline const MixerKernels& kernels() {
#if defined(__SSE2__)
  static const MixerKernels kBest = __builtin_cpu_supports("avx2")
                                        ? MixerKernels{dot_avx2, train_avx2}
                                        : MixerKernels{dot, train};
#else
  static const MixerKernels kBest{dot, train};
#endif
  return kBest;
}

// Error (a probability difference in 1/65536) times rate, in the unit that
// train() takes.
inline int32_t scaled_error(int bit, uint32_t probability, int rate) {
  const int32_t error = (bit << 16) - static_cast<int32_t>(probability);
  const int64_t scaled = (static_cast<int64_t>(error) * rate + (1 << 9)) >> 10;
  return static_cast<int32_t>(std::clamp<int64_t>(scaled, -32767, 32767));
}

}  // namespace smll::mix
