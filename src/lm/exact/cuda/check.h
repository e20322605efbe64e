// Single operations, whose results known_answers.h has: what every other kernel relies on.
#pragma once

#include "lm/exact/cuda/abi.h"
#include "lm/exact/cuda/simt.h"
#include "lm/exact/known_answers.h"

namespace smll::exact::cuda {

SMLL_DEVICE float result_of(uint32_t operation, float a, float b, float c) {
  switch (operation) {
    case KnownAnswer::kFma:
      return fma(a, b, c);
    case KnownAnswer::kDivide:
      return div(a, b);
    case KnownAnswer::kSquareRoot:
      return square_root(a);
    case KnownAnswer::kAdd:
      return add(a, b);
    default:
      return mul(a, b);
  }
}

SMLL_DEVICE void check(const Block& block, const CheckArgs& args) {
  block.each([&](int t) {
    for (int i = t; i < args.count; i += block.threads) {
      const uint32_t* const one = args.cases + 4 * i;
      args.results[i] =
          bits_of(result_of(one[0], float_of(one[1]), float_of(one[2]), float_of(one[3])));
    }
  });
}

}  // namespace smll::exact::cuda
