#include "mix/mixer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

#include "mix/counters.h"
#include "mix/logistic.h"

namespace smll::mix {
namespace {

TEST(Logistic, TablesAreTheFunctions) {
  for (int x = -kStretchMax; x <= kStretchMax; x += 7) {
    const double p = 65536.0 / (1 + std::exp(-x / 1024.0));
    EXPECT_NEAR(squash(x), std::min(65535.0, std::max(1.0, p)), 0.51);
  }
  for (uint32_t p = 1; p < 65536; ++p) {
    EXPECT_NEAR(stretch(p), 1024 * std::log(p / (65536.0 - p)), 1.01) << p;
    EXPECT_NEAR(static_cast<int>(squash(stretch(p))), static_cast<int>(p), 17) << p;
  }
}

TEST(BitStates, CountWhatCame) {
  const BitStates& states = bit_states();
  EXPECT_LE(states.size, 256);
  uint8_t ones = 0;
  for (int i = 0; i < 60; ++i) ones = states.next[ones][1];
  EXPECT_EQ(states.counts[ones].n0, 0);
  EXPECT_GE(states.counts[ones].n1, 30);
  const uint8_t surprised = states.next[ones][0];
  EXPECT_EQ(states.counts[surprised].n0, 1);
  EXPECT_LT(states.counts[surprised].n1, 10);
  for (int s = 0; s < states.size; ++s) {
    for (const uint8_t next : states.next[static_cast<size_t>(s)]) {
      EXPECT_GT(next, 0);
      EXPECT_LT(next, states.size);
    }
  }
}

TEST(ProbMap, StartsAsIdentityAndLearns) {
  ProbMap map(2, 20, 255);
  for (int x = -12000; x <= 12000; x += 101) {
    EXPECT_NEAR(static_cast<int>(map.refine(x, 1)), static_cast<int>(squash(x)), 60) << x;
  }
  for (int i = 0; i < 1000; ++i) {
    map.refine(0, 1);
    map.update(1);
  }
  EXPECT_GT(map.refine(0, 1), 60000u);
  EXPECT_NEAR(static_cast<int>(map.refine(0, 0)), 32768, 60);
}

TEST(GatedMixer, FollowsTheExpertThatIsRight) {
  const int32_t weights[] = {kWeightOne, 0, 0};
  const size_t sets[] = {2, 3};
  GatedMixer mixer(weights, sets, 1, {300, 100, 100, 20});
  unsigned random = 1;
  int last = 0;
  for (int i = 0; i < 3000; ++i) {
    random = random * 1103515245 + 12345;
    const int bit = random >> 16 & 1;
    mixer.inputs()[0] = 2000;  // always says 1
    mixer.inputs()[1] = static_cast<int16_t>(bit != 0 ? 2000 : -2000);
    mixer.inputs()[2] = 0;
    mixer.select(0, 1);
    mixer.select(1, 2);
    last = mixer.mix(0);
    if (i == 0) {
      EXPECT_NEAR(last, 2000, 2);
    }
    mixer.update(bit);
    if (i > 2900) {
      EXPECT_EQ(last > 0, bit != 0);
    }
  }
}

TEST(MixerKernels, TheBestOnesEqualThoseOfEveryMachine) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> stretches(-kStretchMax, kStretchMax);
  std::uniform_int_distribution<int32_t> some_weights(-kWeightMax, kWeightMax);
  std::uniform_int_distribution<int32_t> errors(-32767, 32767);
  for (size_t stride = kInputStride; stride <= 5 * kInputStride; stride += kInputStride) {
    for (int round = 0; round < 200; ++round) {
      std::vector<int16_t> inputs(stride);
      std::vector<int32_t> weights(stride);
      for (int16_t& x : inputs) x = static_cast<int16_t>(stretches(random));
      for (int32_t& w : weights) w = some_weights(random) >> (round % 8);
      std::vector<int32_t> same = weights;
      EXPECT_EQ(kernels().dot(inputs.data(), weights.data(), stride),
                dot(inputs.data(), weights.data(), stride));
      const int32_t error = errors(random);
      kernels().train(inputs.data(), weights.data(), stride, error);
      train(inputs.data(), same.data(), stride, error);
      EXPECT_EQ(weights, same);
    }
  }
}

}  // namespace
}  // namespace smll::mix
