#include "lm/exact/attention.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "base/fp_env.h"

namespace smll::exact {
namespace {

// Where no score is a number, what a query gets must still not depend on the queries beside it.
TEST(Attention, ScoresThatAreNoNumbersAreTheSameInAnyBatch) {
  const FpEnv environment;
  // The queries are in two tiles of positions.
  constexpr int kDim = 32, kPositions = 36;
  const KvLayout layout(kDim);
  KvPool pool(layout, 1);
  KvCache cache(pool, 2 * kSegment);
  const std::vector<std::int8_t> key(kDim, 1);
  const float infinite = std::numeric_limits<float>::infinity();
  cache.reserve(0, kPositions);
  for (int position = 0; position < kPositions; ++position) {
    std::vector<float> value(kDim, static_cast<float>(position + 1));
    cache.store_key(position, 0, key.data(), &infinite);
    cache.store_value(position, 0, value.data());
  }
  ActivationBuffer queries(kQueryBlock, kDim), together(kQueryBlock, kDim),
      alone(kQueryBlock, kDim);
  Attention attention(scalar_kernels(), layout, 1, 64);
  const int first = kPositions - kQueryBlock;
  const Window window{64, true};
  const auto run = [&](int at, int count, Activations out) {
    attention.run({{&cache, 0, static_cast<std::uint64_t>(first + at)},
                   count,
                   1,
                   window,
                   queries.view().at(at),
                   queries.view().at(at),
                   out});
  };
  run(0, kQueryBlock, together.view());
  for (int i = 0; i < kQueryBlock; ++i) run(i, 1, alone.view().at(i));
  EXPECT_EQ(0, std::memcmp(together.view().q8, alone.view().q8, kQueryBlock * kDim));
  for (int i = 0; i < kQueryBlock; ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(together.view().scale[i]),
              std::bit_cast<std::uint32_t>(alone.view().scale[i]));
  }
}

}  // namespace
}  // namespace smll::exact
