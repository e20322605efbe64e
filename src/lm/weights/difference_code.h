// Codes the differences of two matrices of quantized weights.
//
// Row by row, block by block. Of a U4 block: d and m as half floats in their order of size (the
// bits, negated where the sign is set), then the 32 values. Of an S8 block: the scale, likewise, in
// steps of 2^13, a shift of all values (which stay within -127..127), then the values' differences
// from those shifted. A difference is coded by adaptive binary decisions and the range
// coder (coder/range_coder.h); docs/spec/format.md has the decisions. Where all differences are
// multiples of a power of two, as those that training makes are, their lowest bits cost next to
// nothing.
#pragma once

#include "lm/weights/packed_matrix.h"
#include "smll/io.h"

namespace smll::weights {

// Bits of an S8 scale, a single float, that stay as they are.
inline constexpr int kScaleShift = 13;

// Both have the same size and format; scales of S8 differ by multiples of 2^kScaleShift in their
// order. Empty where nothing differs.
Bytes code_differences(const PackedMatrix& from, const PackedMatrix& to);

// The opposite, into new memory. Throws Error(kData) where the code is not one of such a matrix.
PackedMatrix add_differences(const PackedMatrix& from, ByteView code);

// A float's bits as an integer whose order is the float's; and back. Likewise of a half float.
std::int32_t order_of(float x);
float float_of(std::int32_t order);
std::int32_t order_of_half(std::uint16_t bits);
std::uint16_t half_of(std::int32_t order);

}  // namespace smll::weights
