// What kernels need of a compiler, so that one source is compiled by nvcc for GPUs and by any other
// for the CPU, where tests run it.
//
// A kernel is a function of a block. What its threads do between two barriers is a phase:
// block.each(f) calls f(thread) in each of them and ends with a barrier. On the CPU a phase is a
// loop over the threads, so what one thread keeps for itself beyond a phase must be in memory that
// all see. Shared memory is block.shared.
//
// Arithmetic on floats only happens through the functions at the end, each rounded to nearest once:
// nothing is fused or flushed but what is written.
#pragma once

#include <cstdint>
#include <cstring>

#if !defined(__CUDACC__)
#include <cmath>

#include "lm/exact/cpu/half.h"
#endif

#if defined(__CUDACC__)
#define SMLL_DEVICE __device__ __forceinline__
#else
#define SMLL_DEVICE inline
#endif

namespace smll::exact::cuda {

#if defined(__CUDACC__)

struct Block {
  unsigned x, y;
  int threads;
  unsigned char* shared;

  template <class F>
  __device__ __forceinline__ void each(F f) const {
    f(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
};

SMLL_DEVICE float add(float a, float b) { return __fadd_rn(a, b); }
SMLL_DEVICE float sub(float a, float b) { return __fsub_rn(a, b); }
SMLL_DEVICE float mul(float a, float b) { return __fmul_rn(a, b); }
SMLL_DEVICE float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
SMLL_DEVICE float div(float a, float b) { return __fdiv_rn(a, b); }
SMLL_DEVICE float square_root(float a) { return __fsqrt_rn(a); }
SMLL_DEVICE float magnitude(float a) { return __uint_as_float(__float_as_uint(a) & 0x7fffffffu); }
SMLL_DEVICE float from_int(int32_t a) { return __int2float_rn(a); }
// For what is in range.
SMLL_DEVICE int32_t to_int(float a) { return __float2int_rz(a); }
SMLL_DEVICE float float_of(uint32_t bits) { return __uint_as_float(bits); }
SMLL_DEVICE uint32_t bits_of(float a) { return __float_as_uint(a); }
SMLL_DEVICE float half(uint16_t bits) {
  float f;
  asm("{.reg .f16 h; mov.b16 h, %1; cvt.f32.f16 %0, h;}" : "=f"(f) : "h"(bits));
  return f;
}
// c + the dot product of four int8 each.
SMLL_DEVICE int32_t dot4(uint32_t a, uint32_t b, int32_t c) {
  return __dp4a(static_cast<int32_t>(a), static_cast<int32_t>(b), c);
}
// c + the dot product of two int16 in `a` and the lower, or upper, two int8 in `b`.
SMLL_DEVICE int32_t dot2_low(uint32_t a, uint32_t b, int32_t c) {
  return __dp2a_lo(static_cast<int32_t>(a), static_cast<int32_t>(b), c);
}
SMLL_DEVICE int32_t dot2_high(uint32_t a, uint32_t b, int32_t c) {
  return __dp2a_hi(static_cast<int32_t>(a), static_cast<int32_t>(b), c);
}

#else

// Of the threads in a phase. What a kernel computes must not depend on it.
enum class Order { kForward, kBackward, kMixed };

struct Block {
  unsigned x, y;
  int threads;
  unsigned char* shared;
  Order order = Order::kForward;

  template <class F>
  void each(F f) const {
    for (int i = 0; i < threads; ++i) f(thread(i));
  }

 private:
  int thread(int i) const {
    if (order == Order::kForward) return i;
    if (order == Order::kBackward) return threads - 1 - i;
    // Numbers of threads are powers of two, so this is a permutation.
    return static_cast<int>((static_cast<unsigned>(i) * 37u + 11u) %
                            static_cast<unsigned>(threads));
  }
};

inline float add(float a, float b) { return a + b; }
inline float sub(float a, float b) { return a - b; }
inline float mul(float a, float b) { return a * b; }
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float div(float a, float b) { return a / b; }
inline float square_root(float a) { return __builtin_sqrtf(a); }
inline float magnitude(float a) { return __builtin_fabsf(a); }
inline float from_int(int32_t a) { return static_cast<float>(a); }
inline int32_t to_int(float a) { return static_cast<int32_t>(a); }
inline float float_of(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
inline uint32_t bits_of(float a) {
  uint32_t bits;
  std::memcpy(&bits, &a, 4);
  return bits;
}
inline float half(uint16_t bits) { return half_to_float(bits); }
inline int32_t int8_at(uint32_t word, int i) { return static_cast<int8_t>(word >> 8 * i & 255); }
inline int32_t int16_at(uint32_t word, int i) {
  return static_cast<int16_t>(word >> 16 * i & 65535);
}
inline int32_t dot4(uint32_t a, uint32_t b, int32_t c) {
  for (int i = 0; i < 4; ++i) c += int8_at(a, i) * int8_at(b, i);
  return c;
}
inline int32_t dot2_low(uint32_t a, uint32_t b, int32_t c) {
  for (int i = 0; i < 2; ++i) c += int16_at(a, i) * int8_at(b, i);
  return c;
}
inline int32_t dot2_high(uint32_t a, uint32_t b, int32_t c) {
  for (int i = 0; i < 2; ++i) c += int16_at(a, i) * int8_at(b, 2 + i);
  return c;
}

#endif

struct alignas(16) Words {
  uint32_t word[4];
};

SMLL_DEVICE uint32_t word_at(const void* p) { return *static_cast<const uint32_t*>(p); }
SMLL_DEVICE Words words_at(const void* p) { return *static_cast<const Words*>(p); }

}  // namespace smll::exact::cuda
