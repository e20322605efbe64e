#include "mix/mixer.h"

#include <algorithm>

namespace smll::mix {

GatedMixer::GatedMixer(std::span<const int32_t> weights, std::span<const size_t> set_sizes,
                       size_t second_contexts, const Rates& rates)
    : count_(weights.size()),
      stride_(padded_inputs(weights.size())),
      rates_(rates),
      kernels_(kernels()),
      inputs_(stride_, 0),
      selected_(set_sizes.size(), 0),
      opinions_(set_sizes.size(), 0) {
  size_t vectors = 0;
  for (const size_t size : set_sizes) {
    set_begin_.push_back(vectors);
    set_size_.push_back(size);
    vectors += size;
  }
  weights_.assign(vectors * stride_, 0);
  for (size_t v = 0; v < vectors; ++v) {
    std::copy(weights.begin(), weights.end(),
              weights_.begin() + static_cast<ptrdiff_t>(v * stride_));
  }
  uses_.assign(vectors, 0);
  second_.assign(second_contexts * set_sizes.size(),
                 kWeightOne / static_cast<int32_t>(set_sizes.size()));
}

void GatedMixer::select(size_t set, size_t index) {
  selected_[set] = set_begin_[set] + std::min(index, set_size_[set] - 1);
}

int GatedMixer::mix(size_t second_context) {
  const size_t sets = selected_.size();
  second_at_ = second_context * sets;
  int64_t sum = 0;
  for (size_t s = 0; s < sets; ++s) {
    opinions_[s] = kernels_.dot(inputs_.data(), &weights_[selected_[s] * stride_], stride_);
    sum += static_cast<int64_t>(opinions_[s]) * second_[second_at_ + s];
  }
  const int result = clamp_stretch(static_cast<int>((sum + (1 << 15)) >> 16));
  mixed_ = squash(result);
  return result;
}

void GatedMixer::update(int bit) {
  for (size_t s = 0; s < selected_.size(); ++s) {
    const size_t v = selected_[s];
    const int uses = uses_[v];
    const int rate = rates_.first_end + (rates_.first_start - rates_.first_end) *
                                            rates_.first_decay / (rates_.first_decay + uses);
    if (uses < 65535) ++uses_[v];
    kernels_.train(inputs_.data(), &weights_[v * stride_], stride_,
                   scaled_error(bit, squash(opinions_[s]), rate));
  }
  const int32_t error = scaled_error(bit, mixed_, rates_.second);
  for (size_t s = 0; s < selected_.size(); ++s) {
    int32_t& weight = second_[second_at_ + s];
    const int32_t step = (opinions_[s] * error + (1 << 15)) >> 16;
    weight = std::clamp(weight + step, -kWeightMax, kWeightMax);
  }
}

}  // namespace smll::mix
