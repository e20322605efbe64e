#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "lm/token_walk.h"

namespace smll::codec {

// Stands where an encoder does and adds up what it would write.
class CostMeter {
 public:
  int code(std::uint32_t p1, int bit) {
    bits_ -= std::log2((bit ? p1 : lm::kCertainly - p1) / double{lm::kCertainly});
    return bit;
  }
  double bits() const { return bits_; }
  // Bits since the last call.
  double take() { return std::exchange(bits_, 0.0); }

 private:
  double bits_ = 0;
};

}  // namespace smll::codec
