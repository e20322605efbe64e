#include "lm/exact/arithmetic_check.h"

#include <array>
#include <bit>
#include <vector>

#include "base/exact_float.h"
#include "lm/exact/activations.h"
#include "lm/exact/known_answers.h"
#include "smll/error.h"

namespace smll::exact {
namespace {

float as_float(std::uint32_t bits) { return std::bit_cast<float>(bits); }

// The operands are read here, so that nothing is computed by the compiler.
float compute(const volatile KnownAnswer& question) {
  const float a = as_float(question.a);
  const float b = as_float(question.b);
  switch (question.operation) {
    case KnownAnswer::kFma:
      return __builtin_fmaf(a, b, as_float(question.c));
    case KnownAnswer::kDivide:
      return a / b;
    case KnownAnswer::kSquareRoot:
      return __builtin_sqrtf(a);
    case KnownAnswer::kAdd:
      return a + b;
    default:
      return a * b;
  }
}

float fma_of(const Kernels& kernels, const KnownAnswer& question) {
  const float a = as_float(question.a);
  std::array<float, kTile> b, c;
  b.fill(as_float(question.b));
  c.fill(as_float(question.c));
  kernels.multiply({&a, 1, 1, b.data(), kTile, c.data(), kTile, 1, 1, kTile, true});
  return c.back();
}

// By 127, which scales are made with.
float quotient_of(const Kernels& kernels, const KnownAnswer& question) {
  std::array<float, kBlock> x{};
  x.back() = as_float(question.a);
  ActivationBuffer quantized(1, kBlock);
  kernels.quantize(x.data(), kBlock, quantized.view());
  return *quantized.view().scale;
}

}  // namespace

void expect_known_answers(std::span<const std::uint32_t> results, const std::string& who) {
  constexpr const char* kNames[] = {"fused multiply-add", "division", "square root", "sum",
                                    "product"};
  for (std::size_t i = 0; i < kKnownAnswerCount; ++i) {
    if (i < results.size() && results[i] == kKnownAnswers[i].result) continue;
    throw Error(ErrorKind::kModel,
                who + " computes a " + kNames[kKnownAnswers[i].operation] +
                    " wrong, so its archives could not be read elsewhere; use another --device or"
                    " --isa");
  }
}

void check_processor(const Kernels& kernels) {
  constexpr std::uint32_t k127 = 0x42fe0000;
  std::vector<std::uint32_t> plain, vector;
  for (const KnownAnswer& question : kKnownAnswers) {
    const float result = compute(question);
    float other = result;
    if (question.operation == KnownAnswer::kFma) other = fma_of(kernels, question);
    if (question.operation == KnownAnswer::kDivide && question.b == k127) {
      other = quotient_of(kernels, question);
    }
    plain.push_back(std::bit_cast<std::uint32_t>(result));
    vector.push_back(std::bit_cast<std::uint32_t>(other));
  }
  expect_known_answers(plain, "this processor, or this build,");
  expect_known_answers(vector, std::string("the instruction set ") + kernels.name);
}

}  // namespace smll::exact
