// Shared memory that a block of each kernel needs, in bytes. For whoever starts them.
#pragma once

#include <cstdint>

#include "lm/exact/cpu/layout.h"

namespace smll::exact::cuda {

// Of reductions.
inline constexpr int kLanes = 16;
// Frequencies between two of their sums.
inline constexpr int kSumEntries = 16;
// Positions of a segment of keys and values.
inline constexpr int kPagePositions = 256;

// A row, and what its norm is found with.
inline std::uint32_t norm_room(int width) {
  return static_cast<std::uint32_t>(4 * (width + kLanes + 1));
}
inline std::uint32_t add_room() { return 4 * (kLanes + 1); }
inline std::uint32_t activate_room(std::uint32_t threads) { return 4 * threads; }

// A sum and a largest value of each thread.
inline std::uint32_t frequencies_room(std::uint32_t threads) { return (8 + 4) * threads; }

// A head's floats before and after it is turned, the lanes of reductions, and a quantized head.
inline std::uint32_t store_room(int dim) {
  return static_cast<std::uint32_t>(4 * (2 * dim + kLanes + 2) + 8 * (dim / kBlock) + dim);
}

// The arrays of AttendRoom (attend.h).
inline std::uint64_t attend_room(int group, int dim, int span) {
  const auto chunks = static_cast<std::uint64_t>(span / kPagePositions + 2);
  const std::uint64_t words = static_cast<std::uint64_t>(span) + chunks * kLanes + 3 + kLanes +
                              chunks + static_cast<std::uint64_t>(dim) * (1 + chunks);
  return static_cast<std::uint64_t>(group) * (4 * words + 2 * static_cast<std::uint64_t>(span));
}

}  // namespace smll::exact::cuda
