// The floating-point environment that the exact arithmetic needs: round to nearest, denormals kept,
// no traps. A host process may have changed it, so every public call and worker thread sets it.
#pragma once

#include <cstdint>

#include "base/exact_float.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace smll {

// Sets the environment on construction and restores the caller's on destruction.
class FpEnv {
 public:
  FpEnv() : saved_(read()) { write(kDefault); }
  ~FpEnv() { write(saved_); }
  FpEnv(const FpEnv&) = delete;
  FpEnv& operator=(const FpEnv&) = delete;

 private:
#if defined(__x86_64__)
  using Word = std::uint32_t;
  static constexpr Word kDefault = 0x1f80;
  static Word read() { return _mm_getcsr(); }
  static void write(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = std::uint64_t;
  static constexpr Word kDefault = 0;
  static Word read() {
    Word word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void write(Word word) { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
#else
#error "the exact engine does not know this processor's floating-point control register"
#endif

  Word saved_;
};

}  // namespace smll
