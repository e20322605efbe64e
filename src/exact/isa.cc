#include "exact/isa.h"

#include <algorithm>
#include <string>

#include "smll/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace smll::exact {
namespace {

constexpr Isa kAll[] = {Isa::kAuto, Isa::kAvx512, Isa::kAvx2, Isa::kNeon, Isa::kScalar};

const Kernels* table_of(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return avx2_kernels();
    case Isa::kAvx512:
      return avx512_kernels();
    case Isa::kNeon:
      return neon_kernels();
    default:
      return &scalar_kernels();
  }
}

#if defined(__x86_64__)
// Clang 14's __builtin_cpu_supports does not know this one.
bool has_f16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 29)) != 0;
}
#endif

bool processor_has(Isa isa) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  if (isa == Isa::kAvx2) return avx2;
#if defined(SMLL_AVX512_SIMDE)
  if (isa == Isa::kAvx512) return avx2;  // emulated
#endif
  if (isa == Isa::kAvx512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
  }
#elif defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  if (isa == Isa::kNeon) return (getauxval(AT_HWCAP) & kDotProduct) != 0;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return true;  // every Apple processor has it
#endif
  return isa == Isa::kScalar;
}

}  // namespace

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (Isa isa : kAll) {
    if (isa != Isa::kAuto && table_of(isa) && processor_has(isa)) isas.push_back(isa);
  }
  return isas;
}

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kAuto:
      return "auto";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
    case Isa::kScalar:
      break;
  }
  return "scalar";
}

Isa isa_from_name(std::string_view name) {
  for (Isa isa : kAll) {
    if (name == isa_name(isa)) return isa;
  }
  throw Error(ErrorKind::kUsage, "unknown instruction set '" + std::string(name) +
                                     "'; use auto, scalar, avx2, avx512 or neon");
}

const Kernels& kernels_for(Isa isa) {
  const std::vector<Isa> isas = supported_isas();
  if (isa == Isa::kAuto) isa = isas.front();
  if (std::find(isas.begin(), isas.end(), isa) == isas.end()) {
    throw Error(ErrorKind::kUsage, std::string("this machine or build has no instruction set '") +
                                       isa_name(isa) + "'");
  }
  return *table_of(isa);
}

}  // namespace smll::exact
