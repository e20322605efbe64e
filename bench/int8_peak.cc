#include "int8_peak.h"

#include <chrono>

namespace smll::bench {
namespace {

// Ten independent sums: more than latency times throughput asks for. The registers' values do not
// matter. Assembly, because a compiler would drop or reorder what it sees no use for, and so that
// this file needs no instruction set.
constexpr int kSums = 10;

#if defined(__x86_64__)
void avx2_sums() {
  asm volatile(
      ".irp sum, 6,7,8,9,10,11,12,13,14,15\n"
      "vpmaddubsw %%ymm0, %%ymm1, %%ymm2\n"
      "vpaddw %%ymm2, %%ymm\\sum, %%ymm\\sum\n"
      ".endr\n" ::
          : "xmm2", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
            "xmm15");
}

void avx512_sums() {
  asm volatile(
      ".irp sum, 6,7,8,9,10,11,12,13,14,15\n"
      "vpdpbusd %%zmm0, %%zmm1, %%zmm\\sum\n"
      ".endr\n" ::
          : "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

// Ten products of tiles, which hold what they happen to hold, and their shapes before and after.
void amx_sums() {
  alignas(64) static const unsigned char kShapes[64] = {
      1,  0,  0,  0,  0,  0,  0,  0, 0,  0, 0,  0, 0,  0, 0,  0,  // palette
      64, 0,  64, 0,  64, 0,  64, 0, 64, 0, 64, 0, 64, 0, 64, 0,  // bytes of a row
      0,  0,  0,  0,  0,  0,  0,  0, 0,  0, 0,  0, 0,  0, 0,  0,  //
      16, 16, 16, 16, 16, 16, 16, 16};                            // rows
  static thread_local bool ready = false;
  if (!ready) asm volatile("ldtilecfg %0" : : "m"(kShapes));
  ready = true;
  asm volatile(
      ".irp sum, 0,1,2,3,4,0,1,2,3,4\n"
      "tdpbusd %tmm6, %tmm5, %tmm\\sum\n"
      ".endr\n");
}
#elif defined(__aarch64__)
void neon_sums() {
  asm volatile(
      ".arch armv8.2-a+dotprod\n"
      ".irp sum, 16,17,18,19,20,21,22,23,24,25\n"
      "sdot v\\sum\\().4s, v0.16b, v1.16b\n"
      ".endr\n" ::
          : "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25");
}
#endif

// One burst to reach the clock's full rate, then the best of five.
double best_rate(void (*sums)(), int products) {
  constexpr int kIterations = 1 << 20;
  double best = 0;
  for (int burst = 0; burst < 6; ++burst) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kIterations; ++i) sums();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    const double rate = static_cast<double>(kIterations) * kSums * products / time.count();
    if (burst > 0 && rate > best) best = rate;
  }
  return best;
}

}  // namespace

double int8_peak(exact::Isa isa) {
#if defined(__x86_64__)
  if (isa == exact::Isa::kAvx2) return best_rate(avx2_sums, 32);
  if (isa == exact::Isa::kAvx512) return best_rate(avx512_sums, 64);
  if (isa == exact::Isa::kAmx) return best_rate(amx_sums, 16 * 16 * 64);
#elif defined(__aarch64__)
  if (isa == exact::Isa::kNeon) return best_rate(neon_sums, 16);
#endif
  (void)isa;
  return 0;
}

}  // namespace smll::bench
