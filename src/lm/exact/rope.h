// Rotary position embeddings with angles in fixed point, so that positions may grow without limit.
#pragma once

#include <cstdint>
#include <vector>

#include "lm/weights/model_spec.h"

namespace smll::exact {

// Turns a position advances each pair of dimensions by, as 64-bit fractions: position times
// frequency wraps modulo one turn exactly.
class RotaryTable {
 public:
  // Sets the floating-point environment meanwhile; fill() leaves that to the caller.
  explicit RotaryTable(const weights::Rotation& rotation);

  // Fills cos and sin for one position as Kernels::rotate wants them: `head_dim` entries each, cos
  // doubled, sin with the sign of its element of the pair; dimensions beyond those that rotate get
  // 1 and 0.
  void fill(std::uint64_t position, int head_dim, float* cos, float* sin) const;

 private:
  std::vector<std::uint64_t> turns_;
};

// cos and sin of a fraction of a turn; error below 1e-12. Only IEEE +, -, * on doubles.
void cos_sin_of_turn(std::uint64_t turn, double* cos, double* sin);

// 2^x and log2(x) by series, the same on every machine; relative error below 1e-14 for |x| < 1000.
double exact_exp2(double x);
double exact_log2(double x);

}  // namespace smll::exact
