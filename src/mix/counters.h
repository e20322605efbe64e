// What a context remembers of its bits, and how that becomes a probability.
//
// A bit history is one byte, a state (n0, n1, which came last) with small
// bounded counts. The longer one side's run, the fewer of the other side are
// kept: recent evidence counts most. A history is not a probability: an
// AdaptiveProb per state learns what it has meant so far (indirect modelling).
//
// Source: the idea of bit histories, M. Mahoney, "The PAQ Data Compression
// Programs"; the states here are our own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/zeroed_table.h"
#include "mix/logistic.h"

namespace smll::mix {

// Bit histories. State 0 has seen nothing.
struct BitStates {
  struct Counts {
    uint8_t n0, n1;
  };
  std::array<std::array<uint8_t, 2>, 256> next;  // [state][bit]
  std::array<Counts, 256> counts;
  int size;  // states in use
};
// Built on first use, the same on every machine.
const BitStates& bit_state_tables();

namespace internal {
inline const BitStates& g_bit_states = bit_state_tables();
// 65536 / (n + 1.5): the step of the n-th adaptation.
struct Reciprocals {
  std::array<uint16_t, 1024> value;
  constexpr Reciprocals() : value() {
    for (uint32_t n = 0; n < 1024; ++n) value[n] = static_cast<uint16_t>(131072 / (2 * n + 3));
  }
};
inline constexpr Reciprocals kReciprocals;
}  // namespace internal

inline const BitStates& bit_states() { return internal::g_bit_states; }

// A probability of 22 bits with a count of 10 bits: the mean of what came,
// until `limit` makes it a moving mean. Limits are at most 1023.
class AdaptiveProb {
 public:
  AdaptiveProb() = default;
  AdaptiveProb(uint32_t probability, uint32_t count) : packed_(probability << 16 | count) {}
  uint32_t p() const { return packed_ >> 16; }  // 0..65535
  uint32_t count() const { return packed_ & 1023u; }
  void update(int bit, uint32_t limit) {
    const uint32_t n = packed_ & 1023u;
    const int32_t now = static_cast<int32_t>(packed_ >> 10);
    const int32_t target = bit != 0 ? (1 << 22) - 1 : 0;
    const int64_t step = static_cast<int64_t>(target - now) * internal::kReciprocals.value[n] >> 16;
    packed_ =
        static_cast<uint32_t>(now + static_cast<int32_t>(step)) << 10 | (n < limit ? n + 1 : n);
  }

 private:
  uint32_t packed_ = kProbHalf << 16;
};

// One AdaptiveProb for each bit history, starting from what its counts suggest.
class HistoryMap {
 public:
  HistoryMap();
  uint32_t p(uint8_t state) const { return map_[state].p(); }
  void update(uint8_t state, int bit, uint32_t limit) { map_[state].update(bit, limit); }

 private:
  std::array<AdaptiveProb, 256> map_;
};

// A bias is what a context adds to another prediction's stretch. This moves it
// towards what came: by `step` * error / (n + 1.5) at its n-th use, and no
// slower than at kBiasSlowest.
inline constexpr int kModelBiasStep = 6 * kStretchOne;  // where the language model predicts
inline constexpr int kChainBiasStep = 4 * kStretchOne;  // where another context does
inline constexpr int kBiasSlowest = 20;
inline constexpr int kBiasMax = 8 * kStretchOne;

inline int16_t corrected_bias(int16_t bias, int base_stretch, int uses, int bit, int step) {
  const int error = (bit << 16) - static_cast<int>(squash(clamp_stretch(base_stretch + bias)));
  const int64_t rate =
      internal::kReciprocals.value[static_cast<size_t>(std::min(uses, kBiasSlowest))];
  const auto change = static_cast<int>(error * rate * step >> 32);
  return static_cast<int16_t>(std::clamp(bias + change, -kBiasMax, kBiasMax));
}

// Adaptive probability map (secondary symbol estimation): for a small context,
// a curve from the stretch of a probability to what really came, in 24
// segments, interpolated. Starts as the identity.
class ProbMap {
 public:
  // Nodes adapt as moving means of `limit` (<= 1023) updates, the first ones no
  // faster than the `start`-th, so that a young map stays near the identity.
  ProbMap(size_t contexts, uint32_t start, uint32_t limit);
  // Bytes of a map.
  static uint64_t memory(size_t contexts) { return contexts * kNodes * sizeof(AdaptiveProb); }
  // Refined probability (1..65535) of a stretch within +-kStretchMax; update()
  // trains where it looked.
  uint32_t refine(int stretch_in, size_t context);
  void update(int bit);
  // Asks the memory for what refine() will need: a large map does not stay in a near cache, and
  // where in its curve a decision falls is known late.
  void prefetch(size_t context) const;

 private:
  static constexpr int kNodes = 25;  // one a nat, -12..12
  ZeroedTable<AdaptiveProb> nodes_;
  size_t near_ = 0;
  uint32_t limit_;
};

inline uint32_t ProbMap::refine(int stretch_in, size_t context) {
  const auto shifted = static_cast<uint32_t>(stretch_in + kNodes / 2 * kStretchOne);
  const size_t low = context * kNodes + shifted / kStretchOne;
  const uint32_t weight = shifted % kStretchOne;
  near_ = weight >= kStretchOne / 2 ? low + 1 : low;
  // Between stretches, not probabilities: only so is a fresh map the identity.
  const int below = stretch(nodes_[low].p()), above = stretch(nodes_[low + 1].p());
  return squash(below + (above - below) * static_cast<int>(weight) / kStretchOne);
}

inline void ProbMap::prefetch(size_t context) const {
  const AdaptiveProb* curve = &nodes_[context * kNodes];
  __builtin_prefetch(curve);
  __builtin_prefetch(curve + kNodes / 2);
  __builtin_prefetch(curve + kNodes - 1);
}

inline void ProbMap::update(int bit) { nodes_[near_].update(bit, limit_); }

}  // namespace smll::mix
