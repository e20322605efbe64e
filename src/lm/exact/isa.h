// Which instruction sets this build and this processor offer.
#pragma once

#include <string_view>
#include <vector>

#include "lm/exact/cpu/kernels.h"

namespace smll::exact {

enum class Isa { kAuto, kScalar, kAvx2, kAvx512, kAmx, kNeon };

// Fastest first; always ends with kScalar.
const std::vector<Isa>& supported_isas();

// "auto", "scalar", "avx2", "avx512", "amx", "neon". isa_from_name throws Error(kUsage) for any
// other name.
const char* isa_name(Isa isa);
Isa isa_from_name(std::string_view name);

// The kernels of one set; kAuto takes the fastest. Throws Error(kUsage) where it is not supported.
const Kernels& kernels_for(Isa isa);

}  // namespace smll::exact
