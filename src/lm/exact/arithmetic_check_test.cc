// An engine must not start where the arithmetic is wrong: each way to be wrong is found.
#include "lm/exact/arithmetic_check.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "base/fp_env.h"
#include "lm/exact/isa.h"
#include "lm/exact/known_answers.h"
#include "smll/error.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace smll::exact {
namespace {

TEST(ArithmeticCheck, EveryInstructionSetPasses) {
  const FpEnv environment;
  for (const Isa isa : supported_isas()) {
    const KernelScope scope(kernels_for(isa));
    EXPECT_NO_THROW(check_processor(kernels_for(isa))) << isa_name(isa);
  }
}

#if defined(__x86_64__)
TEST(ArithmeticCheck, FindsAnotherFloatingPointEnvironment) {
  for (const unsigned changed : {0x8000u, 0x0040u, 0x2000u, 0x4000u, 0x6000u}) {
    const FpEnv environment;
    _mm_setcsr(_mm_getcsr() | changed);  // denormals flushed, taken for 0; other roundings
    EXPECT_THROW(check_processor(scalar_kernels()), Error) << changed;
  }
}
#endif

// The usual ways to be without a fused multiply-add: two roundings, or a double's.
TEST(ArithmeticCheck, FindsKernelsThatRoundTwice) {
  const FpEnv environment;
  Kernels kernels = scalar_kernels();
  kernels.multiply = [](const MultiplyArgs& args) {
    for (int j = 0; j < args.columns; ++j) args.c[j] = args.a[0] * args.b[j] + args.c[j];
  };
  EXPECT_THROW(check_processor(kernels), Error);
  kernels.multiply = [](const MultiplyArgs& args) {
    for (int j = 0; j < args.columns; ++j) {
      args.c[j] = static_cast<float>(static_cast<double>(args.a[0]) * args.b[j] + args.c[j]);
    }
  };
  EXPECT_THROW(check_processor(kernels), Error);
}

TEST(ArithmeticCheck, FindsKernelsThatDivideByMultiplying) {
  const FpEnv environment;
  Kernels kernels = scalar_kernels();
  kernels.quantize = [](const float* x, std::size_t n, const Activations& out) {
    float most = 0;
    for (std::size_t i = 0; i < n; ++i) most = std::fmax(most, std::fabs(x[i]));
    *out.scale = most * (1.0f / 127.0f);
  };
  EXPECT_THROW(check_processor(kernels), Error);
}

TEST(ArithmeticCheck, EveryAnswerCounts) {
  std::vector<std::uint32_t> results;
  for (const KnownAnswer& known : kKnownAnswers) results.push_back(known.result);
  EXPECT_NO_THROW(expect_known_answers(results, "this"));
  for (std::uint32_t& result : results) {
    result ^= 1;
    EXPECT_THROW(expect_known_answers(results, "this"), Error);
    result ^= 1;
  }
  results.pop_back();
  EXPECT_THROW(expect_known_answers(results, "this"), Error);
}

}  // namespace
}  // namespace smll::exact
