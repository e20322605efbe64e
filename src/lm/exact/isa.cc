#include "lm/exact/isa.h"

#include <algorithm>
#include <string>

#include "smll/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace smll::exact {
namespace {

constexpr Isa kAll[] = {Isa::kAuto, Isa::kAmx, Isa::kAvx512, Isa::kAvx2, Isa::kNeon, Isa::kScalar};

// Written here, where no kernel's compile flags are: only what a table's functions do may need its
// instruction set.
const Kernels* amx_beside_avx512() {
  static const Kernels table = [] {
    Kernels all = *avx512_kernels();
    const Kernels& own = *amx_kernels();
    all.name = own.name;
    all.gemm_u4 = own.gemm_u4;
    all.gemm_s8 = own.gemm_s8;
    all.add_values = own.add_values;
    all.enter = own.enter;
    all.leave = own.leave;
    return all;
  }();
  return &table;
}

const Kernels* table_of(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return avx2_kernels();
    case Isa::kAvx512:
      return avx512_kernels();
    case Isa::kAmx:
      return amx_kernels() && avx512_kernels() ? amx_beside_avx512() : nullptr;
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

// Linux lends a process the registers of AMX when it asks for them.
bool has_amx() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr unsigned kTilesAndInt8 = 3u << 24;
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kTilesAndInt8) != kTilesAndInt8)
    return false;
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

bool processor_has(Isa isa) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  if (isa == Isa::kAvx2) return avx2;
#if defined(SMLL_AVX512_SIMDE)
  if (isa == Isa::kAvx512 || isa == Isa::kAmx) return avx2;  // emulated
#endif
  if (isa == Isa::kAvx512 || isa == Isa::kAmx) {
    return avx2 && (isa != Isa::kAmx || has_amx()) && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
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

const std::vector<Isa>& supported_isas() {
  // Asked once: virtual machines answer cpuid slowly, and kernels are looked up for every token.
  static const std::vector<Isa> isas = [] {
    std::vector<Isa> found;
    for (Isa isa : kAll) {
      if (isa != Isa::kAuto && processor_has(isa) && table_of(isa)) found.push_back(isa);
    }
    return found;
  }();
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
    case Isa::kAmx:
      return "amx";
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
                                     "'; use auto, scalar, avx2, avx512, amx or neon");
}

const Kernels& kernels_for(Isa isa) {
  const std::vector<Isa>& isas = supported_isas();
  if (isa == Isa::kAuto) isa = isas.front();
  if (std::find(isas.begin(), isas.end(), isa) == isas.end()) {
    throw Error(ErrorKind::kUsage, std::string("this machine or build has no instruction set '") +
                                       isa_name(isa) + "'");
  }
  return *table_of(isa);
}

}  // namespace smll::exact
