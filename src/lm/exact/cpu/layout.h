// The packed forms that kernels read. One layout serves every instruction set: a vector of 64, 32
// or 16 bytes holds 16, 8 or 4 outputs with 4 consecutive inputs each.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/exact_float.h"

namespace smll::exact {

// Inputs that share one scale.
inline constexpr int kBlock = 32;
// Outputs of a tile. Tiles of a matrix follow each other; a tile holds all its blocks in ascending
// order.
inline constexpr int kTile = 16;

// U4 block of a tile: nibbles[4][16 outputs][4], then d[16], then m[16] as IEEE half floats.
// Byte (v, o, i) holds input 4v+i in its low nibble and input 16+4v+i in its high one. value = d*q
// + m.
inline constexpr std::size_t kU4BlockBytes = 256 + 32 + 32;
// S8 block of a tile: int8[8][16 outputs][4], then fp32 scale[16]. value = scale*q, q in -127..127.
inline constexpr std::size_t kS8BlockBytes = 512 + 64;

}  // namespace smll::exact
