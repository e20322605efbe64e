// The model's distribution over the next token: what a walk through the vocabulary asks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "lm/frequencies.h"

namespace smll::lm {

// P(yes or one) * 65536; the two ends mean that the outcome is certain.
inline constexpr std::uint32_t kCertainlyNot = 0;
inline constexpr std::uint32_t kCertainly = 65536;

inline bool is_certain(std::uint32_t p) { return p == kCertainlyNot || p == kCertainly; }

// The probability of what is not certain, as a ratio of two sums of frequencies.
inline std::uint32_t probability(std::uint64_t part, std::uint64_t whole) {
  while (whole >> 47) {  // keeps the shift below from overflowing, for millions of rows
    part >>= 1;
    whole >>= 1;
  }
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>((part << 16) / whole, 1, kCertainly - 1));
}

// Either the frequencies of all rows, or only the probabilities of the decisions between them
// (lm/decisions.h), which are less to copy. Equal logits give equal ones on every machine.
class Distribution {
 public:
  // `isa`: whose kernel to use. Throws Error(kUsage) where it is not supported.
  void assign(std::span<const float> logits, exact::Isa isa);
  // Of each decision, as probability() gives it, at the index of its middle.
  void assign_decisions(std::span<const std::uint16_t> probabilities);

  // Bytes that one takes, at most.
  static std::size_t memory(std::size_t rows) {
    return rows * sizeof(std::uint32_t) + (rows / kSumBlock + 1) * sizeof(std::uint64_t);
  }

  // Of a decision that divides rows [lo, hi) at `middle`: the probability of the first rows, where
  // that is what it is about, or of the last ones.
  std::uint32_t first_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) const {
    return decisions_.empty() ? probability(sum(lo, middle), sum(lo, hi)) : decisions_[middle];
  }
  std::uint32_t last_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) const {
    return decisions_.empty() ? probability(sum(middle, hi), sum(lo, hi)) : decisions_[middle];
  }

  // Behind assign() only. Sum of the frequencies of rows [lo, hi); below 2^47 for vocabularies of
  // up to 2^16 rows, below 2^63 always.
  std::uint64_t sum(std::uint32_t lo, std::uint32_t hi) const {
    return range_sum(frequencies_, sums_, lo, hi);
  }
  // Of each row: the most likely row has 2^30 + 1, none has less than 1.
  std::span<const std::uint32_t> frequencies() const { return frequencies_; }

 private:
  std::vector<std::uint16_t> decisions_;  // empty where there are frequencies
  std::vector<std::uint32_t> frequencies_;
  std::vector<std::uint64_t> sums_;  // of all rows before each block of kSumBlock
};

}  // namespace smll::lm
