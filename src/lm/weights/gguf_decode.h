// From GGUF's tensor types to the two forms the engine computes with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lm/weights/gguf_file.h"

namespace smll::weights {

// Which of the two forms a tensor takes.
//   kU4: 4-bit values as stored (Q4_0, Q4_1), value = d*q + m.
//   kS8: int8 with one scale a block: Q8_0 and Q5_0 as stored, everything else requantized.
enum class Format { kU4, kS8 };

// One block of 32 in its canonical form: what the fingerprint covers and what is packed for the
// kernels.
struct U4Block {
  std::uint8_t nibbles[16];  // value i low in byte i, value 16+i high
  std::uint16_t d;           // IEEE half
  std::uint16_t m;
};
struct S8Block {
  std::int8_t q[32];  // -127..127
  float scale;
};
static_assert(sizeof(U4Block) == 20 && sizeof(S8Block) == 36);

// Throws Error(kModel) for a type that has no decoder, and for rows that are not whole blocks
// of 32.
Format format_of(const TensorInfo& tensor);

// One row of `tensor` (columns/32 blocks) from its bytes in the file. Throws Error(kModel) on a
// scale that is not finite.
void decode_row(const TensorInfo& tensor, const std::uint8_t* row, U4Block* out);
void decode_row(const TensorInfo& tensor, const std::uint8_t* row, S8Block* out);

// One row as plain floats: what the type's own formula says (not requantized).
void decode_row(const TensorInfo& tensor, const std::uint8_t* row, float* out);

// 32 values as the nearest multiples of the largest one's size / 127.
void requantize(const float* x, S8Block* out);

// The values that a canonical block stands for.
void expand(const U4Block& block, float* out);
void expand(const S8Block& block, float* out);

}  // namespace smll::weights
