#include "int8_peak.h"

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace smll::bench {
namespace {

constexpr int kIterations = 1 << 20;
constexpr int kChains = 10;  // independent sums: more than latency times throughput asks for

// Runs one burst to reach the clock's full rate, then the best of five.
template <typename Burst>
double best_rate(double per_iteration, Burst burst) {
  double best = 0;
  for (int i = 0; i < 6; ++i) {
    const auto start = std::chrono::steady_clock::now();
    burst();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    if (i > 0 && kIterations * per_iteration / time.count() > best) {
      best = kIterations * per_iteration / time.count();
    }
  }
  return best;
}

// The empty statement makes the compiler believe that the value is read and changed, so that
// nothing is hoisted.
#if defined(__x86_64__)
__attribute__((target("avx2"))) void avx2_burst() {
  __m256i sums[kChains];
  __m256i a = _mm256_set1_epi8(1);
  const __m256i b = _mm256_set1_epi8(1);
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int i = 0; i < kIterations; ++i) {
#pragma GCC unroll 16
    for (__m256i& sum : sums) {
      asm volatile("" : "+x"(a));
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(a, b));
    }
  }
  for (__m256i& sum : sums) asm volatile("" : "+x"(sum));
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) void avx512_burst() {
  __m512i sums[kChains];
  __m512i a = _mm512_set1_epi8(1);
  const __m512i b = _mm512_set1_epi8(1);
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (int i = 0; i < kIterations; ++i) {
#pragma GCC unroll 16
    for (__m512i& sum : sums) {
      asm volatile("" : "+v"(a));
      sum = _mm512_dpbusd_epi32(sum, a, b);
    }
  }
  for (__m512i& sum : sums) asm volatile("" : "+v"(sum));
}
#elif defined(__aarch64__)
__attribute__((target("+dotprod"))) void neon_burst() {
  int32x4_t sums[kChains];
  int8x16_t a = vdupq_n_s8(1);
  const int8x16_t b = vdupq_n_s8(1);
  for (int32x4_t& sum : sums) sum = vdupq_n_s32(0);
  for (int i = 0; i < kIterations; ++i) {
#pragma GCC unroll 16
    for (int32x4_t& sum : sums) {
      asm volatile("" : "+w"(a));
      sum = vdotq_s32(sum, a, b);
    }
  }
  for (int32x4_t& sum : sums) asm volatile("" : "+w"(sum));
}
#endif

}  // namespace

double int8_peak(exact::Isa isa) {
#if defined(__x86_64__)
  if (isa == exact::Isa::kAvx2) return best_rate(32 * kChains, avx2_burst);
  if (isa == exact::Isa::kAvx512) return best_rate(64 * kChains, avx512_burst);
#elif defined(__aarch64__)
  if (isa == exact::Isa::kNeon) return best_rate(16 * kChains, neon_burst);
#endif
  (void)isa;
  return 0;
}

}  // namespace smll::bench
