#include "coder/cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace smll::coder {
namespace {

TEST(Cost, IsTheLogarithm) {
  for (std::uint32_t p = 1; p <= kProbabilityOne; ++p) {
    const double exact = (16 - std::log2(p)) * static_cast<double>(kCostOfBit);
    ASSERT_GE(cost_of(p), exact - 0.001) << p;
    ASSERT_LE(cost_of(p), exact + 2) << p;
  }
  EXPECT_EQ(cost_of(kProbabilityOne), 0u);
  EXPECT_EQ(cost_of(1), 16 * kCostOfBit);
}

TEST(Cost, CounterSaysWhatTheEncoderWrites) {
  std::mt19937 random(3);
  Encoder encoder;
  CostCounter counter;
  for (int i = 0; i < 20000; ++i) {
    const std::uint32_t p1 = 1 + random() % (kProbabilityOne - 1);
    const int bit = random() % kProbabilityOne < p1;
    EXPECT_EQ(counter.code(p1, bit), encoder.code(p1, bit));
  }
  const double bytes = static_cast<double>(counter.cost()) / static_cast<double>(8 * kCostOfBit);
  EXPECT_NEAR(static_cast<double>(encoder.finish().size()), bytes, 2);
}

}  // namespace
}  // namespace smll::coder
