// What decisions cost, without coding them: for choosing among ways to code. Integers only, so that
// every machine chooses the same.
#pragma once

#include <bit>
#include <cstdint>

#include "coder/range_coder.h"

namespace smll::coder {

// A cost's unit is 1/65536 bit.
inline constexpr std::uint64_t kCostOfBit = 65536;

// -log2(p / 65536) of a probability from 1 to 65536, rounded up to the unit or one unit more.
constexpr std::uint32_t cost_of(std::uint32_t p) {
  // p = 2^(whole) * m / 2^31 with m from 2^31 to below 2^32; squaring m gives its logarithm bit by
  // bit.
  const auto zeros = static_cast<unsigned>(std::countl_zero(p));
  std::uint64_t m = std::uint64_t{p} << zeros;
  std::uint32_t logarithm = 31 - zeros;
  for (int i = 0; i < 16; ++i) {
    m = m * m >> 31;
    const auto carry = static_cast<unsigned>(m >> 32);
    m >>= carry;
    logarithm = logarithm << 1 | carry;
  }
  return (kProbabilityBits << 16) - logarithm;
}

// Takes decisions as Encoder does, and only adds up what they cost.
class CostCounter {
 public:
  int code(std::uint32_t p1, int bit) {
    cost_ += cost_of(bit != 0 ? p1 : kProbabilityOne - p1);
    return bit;
  }
  std::uint64_t cost() const { return cost_; }

 private:
  std::uint64_t cost_ = 0;
};

}  // namespace smll::coder
