// How many int8 multiply-adds one core does at best: the yardstick of the engine's matrix products.
#pragma once

#include "lm/exact/isa.h"

namespace smll::bench {

// Multiply-adds a second of one thread, from registers alone and with the widening that exact sums
// need (int16 for AVX2, whose maddubs sums pairs; int32 elsewhere). 0 where the set has no int8
// products of its own (scalar).
double int8_peak(exact::Isa isa);

}  // namespace smll::bench
