#include "mix/bit_network.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "mix/hashed_slots.h"

namespace smll::mix {
namespace {

constexpr uint32_t kDepths = 6;
constexpr uint32_t kConfidences = 24;
constexpr GatedMixer::Rates kRatesWithModel{160, 60, 400, 20};
constexpr GatedMixer::Rates kRatesAlone{400, 100, 300, 30};

std::vector<int32_t> start_weights(size_t experts, bool with_model, bool fast) {
  std::vector<int32_t> weights(experts + 2, 0);
  if (with_model) {
    weights[0] = kWeightOne;
  } else {
    std::fill(weights.begin() + 2, weights.end(), fast ? kWeightOne / 3 : kWeightOne / 10);
  }
  return weights;
}

std::vector<size_t> set_sizes(bool with_model, bool fast) {
  if (fast) return {256, 16 * 8};
  if (with_model) return {16 * 3, 256, kConfidences * 8, kDepths * 8 * 4, 256};
  return {16 * 16, 256, 256, 256 * 8, 32 * 8};
}

int order2_bits(size_t frame_bytes) {
  return std::clamp(static_cast<int>(std::bit_width(frame_bytes)) - 2, 6, 14);
}

}  // namespace

BitNetwork::BitNetwork(size_t experts, bool with_model, bool fast, size_t frame_bytes)
    : with_model_(with_model),
      fast_(fast),
      mixer_(start_weights(experts, with_model, fast), set_sizes(with_model, fast), 256,
             with_model ? kRatesWithModel : kRatesAlone),
      order1_size_(fast || frame_bytes < 65536 ? 256 : 65536),
      by_order1_(order1_size_, 20, 255),
      by_order2_(size_t{1} << order2_bits(frame_bytes), 20, 255),
      by_model_(with_model ? kConfidences * kDepths : 1, 30, 500),
      order2_mask_((1u << order2_bits(frame_bytes)) - 1) {}

uint32_t BitNetwork::predict(const BitSituation& s, uint32_t model_p) {
  int16_t* in = mixer_.inputs();
  const int model_stretch = with_model_ ? stretch(model_p) : 0;
  in[0] = static_cast<int16_t>(model_stretch);
  in[1] = 256;
  const auto bits = static_cast<uint32_t>(std::bit_width(s.partial) - 1);
  const auto confidence = static_cast<uint32_t>(model_stretch + kStretchMax + 1) / 1024;
  if (fast_) {
    mixer_.select(0, s.partial);
    mixer_.select(1, s.match * 8 + bits);
  } else if (with_model_) {
    mixer_.select(0, s.match * 3 + static_cast<size_t>(s.expected_bit + 1));
    mixer_.select(1, s.partial);
    mixer_.select(2, confidence * 8 + bits);
    mixer_.select(3, (std::min(s.depth, kDepths - 1) * 8 + bits) * 4 + std::min(s.seen / 6, 3u));
    mixer_.select(4, s.byte1);
  } else {
    mixer_.select(0, s.match * 16 + s.match_short);
    mixer_.select(1, s.partial);
    mixer_.select(2, s.byte1);
    mixer_.select(3, s.byte2 * 8 + bits);
    mixer_.select(4, std::min(s.seen, 31u) * 8 + bits);
  }
  const int mixed = mixer_.mix(s.partial);
  const uint32_t p = squash(mixed);
  const uint32_t p1 = by_order1_.refine(mixed, (s.byte1 << 8 | s.partial) % order1_size_);
  const uint32_t p2 = by_order2_.refine(
      mixed, mix_hash(s.partial << 16 | s.byte1 << 8 | s.byte2, 7) & order2_mask_);
  uint32_t result = (2 * p + p1 + p2 + 2) / 4;
  if (with_model_) {
    const uint32_t p3 = by_model_.refine(
        mixed, confidence * kDepths + std::min(s.depth, kDepths - 1));
    result = (result + p3 + 1) / 2;
  }
  return std::clamp<uint32_t>(result, 1, kProbOne - 1);
}

void BitNetwork::update(int bit) {
  mixer_.update(bit);
  by_order1_.update(bit);
  by_order2_.update(bit);
  if (with_model_) by_model_.update(bit);
}

}  // namespace smll::mix
