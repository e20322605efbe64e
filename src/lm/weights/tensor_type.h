// The types that tensors have in GGUF files, and how they lie there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace smll::weights {

// Numbers as GGUF files have them: those that the exact engine reads.
enum TensorType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

// Of any type: rows are whole blocks of `values` values in `bytes` bytes.
struct TensorLayout {
  std::uint32_t type;
  const char* name;  // as llama.cpp writes it
  std::size_t values;
  std::size_t bytes;
};

// Null for a number that no type has, as far as smll knows.
const TensorLayout* layout_of(std::uint32_t type);

// "unknown" where there is none.
const char* type_name(std::uint32_t type);

}  // namespace smll::weights
