// The model's distribution over the next token, as integers that can be summed over ranges of rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lm/frequencies.h"

namespace smll::lm {

// Frequencies of all rows: the most likely row has 2^30 + 1, none has less than 1. Equal logits
// give equal frequencies on every machine.
class Distribution {
 public:
  // `isa`: whose kernel to use. Throws Error(kUsage) where it is not supported.
  void assign(std::span<const float> logits, exact::Isa isa);

  // Bytes that one takes.
  static std::size_t memory(std::size_t rows) {
    return rows * sizeof(std::uint32_t) + (rows / kSumBlock + 1) * sizeof(std::uint64_t);
  }

  // Sum of the frequencies of rows [lo, hi); below 2^47 for vocabularies of up to 2^16 rows, below
  // 2^63 always.
  std::uint64_t sum(std::uint32_t lo, std::uint32_t hi) const {
    return range_sum(frequencies_, sums_, lo, hi);
  }
  // Of each row.
  std::span<const std::uint32_t> frequencies() const { return frequencies_; }

 private:
  std::vector<std::uint32_t> frequencies_;
  std::vector<std::uint64_t> sums_;  // of all rows before each block of kSumBlock
};

}  // namespace smll::lm
