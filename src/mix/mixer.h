// Gated mixing in the logistic domain: weighted sums of stretched
// probabilities, with the weights picked by small contexts and trained online
// to lower the cost of what came.
//
// A first layer has several sets of weight vectors; a context picks one vector
// of each set, and each gives its own opinion and learns from its own error. A
// second layer mixes these opinions. With `count` equal inputs and the starting
// weights of one expert at 1, the whole starts as exactly that expert.
//
// Units: inputs and outputs in 1/1024 nat within +-kStretchMax; weights in
// 1/65536 within +-8; rates in 1/65536. Integers only: the order of summation
// cannot matter. Never fails.
//
// Source: M. Mahoney, "Adaptive Weighing of Context Models for Lossless Data
// Compression", 2005 (the update); B. Knoll, N. de Freitas, "A Machine Learning
// Perspective on Predictive Coding with PAQ", 2012 (gating).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mix/logistic.h"
#include "mix/mixer_kernels.h"

namespace smll::mix {

inline constexpr int32_t kWeightOne = 65536;

// A vector of inputs, padded so that loops over it need no tail.
inline constexpr size_t kInputStride = 8;
constexpr size_t padded_inputs(size_t count) {
  return (count + kInputStride - 1) / kInputStride * kInputStride;
}

class GatedMixer {
 public:
  struct Rates {
    int first_start;  // learning rate of a vector at its first use,
    int first_end;    // that it falls to,
    int first_decay;  // in about this many uses
    int second;       // rate of the second layer
  };
  // `set_sizes`: vectors of each set. `weights`: where each vector starts (as
  // many as inputs).
  GatedMixer(std::span<const int32_t> weights, std::span<const size_t> set_sizes,
             size_t second_contexts, const Rates& rates);

  // Where the caller writes the inputs of the next decision; unwritten ones
  // keep their old value.
  int16_t* inputs() { return inputs_.data(); }
  size_t input_count() const { return count_; }
  // Picks vector `index` of set `set`.
  void select(size_t set, size_t index);
  // Stretch of the mixed probability.
  int mix(size_t second_context);
  void update(int bit);

 private:
  size_t count_;
  size_t stride_;
  Rates rates_;
  MixerKernels kernels_;
  std::vector<int16_t> inputs_;
  std::vector<int32_t> weights_;
  std::vector<uint16_t> uses_;     // of each vector, saturating
  std::vector<size_t> set_begin_;  // first vector of each set
  std::vector<size_t> set_size_;
  std::vector<size_t> selected_;  // vector of each set
  std::vector<int> opinions_;     // stretch of each set
  std::vector<int32_t> second_;   // weights of the second layer
  size_t second_at_ = 0;
  uint32_t mixed_ = kProbHalf;
};

// A text below this many bytes gives nothing back of what careless learning
// costs: beside the model, mixers keep to it at first and learn slowly.
inline constexpr size_t kShortText = 300;
inline constexpr GatedMixer::Rates kRatesShortText{30, 30, 100, 10};

}  // namespace smll::mix
