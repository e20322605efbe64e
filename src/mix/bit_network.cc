#include "mix/bit_network.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "mix/hashed_slots.h"

namespace smll::mix {
namespace {

constexpr uint32_t kDepths = 6;
constexpr size_t kColumns = 256;
constexpr uint32_t kConfidences = 24;
constexpr size_t kOwnInputs = 2;
constexpr size_t kMatchInputs = 4;
constexpr size_t kInputsEach = 3;
constexpr GatedMixer::Rates kRatesWithModel{250, 60, 800, 20};
constexpr GatedMixer::Rates kRatesAlone{800, 80, 300, 100};
// What a context's inputs count at first beside the model: its history, its last byte, its
// correction of the model.
constexpr int32_t kStartWeights[] = {400, 150, 1500};
constexpr int32_t kExpertWeight = kWeightOne / 30;  // what an expert counts at first, alone
constexpr size_t kSmallFrame = 8192;                // refined by order 0, to save the setting up

std::vector<int32_t> start_weights(size_t experts, bool with_model, bool short_text) {
  std::vector<int32_t> weights(kOwnInputs + experts, with_model ? 0 : kExpertWeight);
  weights[0] = with_model ? kWeightOne : 0;
  weights[1] = 0;
  if (!with_model || short_text) return weights;
  for (size_t i = kOwnInputs; i + kMatchInputs < weights.size(); i += kInputsEach) {
    std::copy_n(kStartWeights, kInputsEach, weights.begin() + static_cast<ptrdiff_t>(i));
  }
  return weights;
}

std::vector<size_t> set_sizes(bool with_model) {
  if (with_model) return {16 * 3, 256, kConfidences * 8, kDepths * 8 * 4, 256, kColumns};
  return {16 * 16, 256, 256, 256 * 8, 40 * 8, kColumns};
}

int order2_bits(size_t frame_bytes) {
  return std::clamp(static_cast<int>(std::bit_width(frame_bytes)) - 2, 6, 16);
}

size_t order1_contexts(size_t frame_bytes) { return frame_bytes < kSmallFrame ? 256 : 65536; }

}  // namespace

uint64_t BitNetwork::memory(size_t frame_bytes) {
  return ProbMap::memory(order1_contexts(frame_bytes)) +
         ProbMap::memory(size_t{1} << order2_bits(frame_bytes));
}

BitNetwork::BitNetwork(size_t experts, bool with_model, size_t frame_bytes)
    : with_model_(with_model),
      mixer_(start_weights(experts, with_model, frame_bytes < kShortText), set_sizes(with_model),
             256,
             !with_model                ? kRatesAlone
             : frame_bytes < kShortText ? kRatesShortText
                                        : kRatesWithModel),
      order1_mask_(order1_contexts(frame_bytes) - 1),
      by_order1_(order1_mask_ + 1, 20, 255),
      by_order2_(size_t{1} << order2_bits(frame_bytes), 20, 255),
      by_model_(with_model ? kConfidences * kDepths : 1, 30, 500),
      order2_mask_((1u << order2_bits(frame_bytes)) - 1) {}

// What refines for single bytes is as large as the frame deserves, and begins anew.
BitNetwork::BitNetwork(const BitNetwork& learned, size_t frame_bytes)
    : with_model_(learned.with_model_),
      mixer_(learned.mixer_),
      order1_mask_(order1_contexts(frame_bytes) - 1),
      by_order1_(order1_mask_ + 1, 20, 255),
      by_order2_(size_t{1} << order2_bits(frame_bytes), 20, 255),
      by_model_(learned.by_model_),
      order2_mask_((1u << order2_bits(frame_bytes)) - 1) {}

void BitNetwork::select(const BitSituation& s, uint32_t confidence) {
  const auto bits = static_cast<uint32_t>(std::bit_width(s.partial) - 1);
  mixer_.select(1, s.partial);
  mixer_.select(5, s.column);
  if (with_model_) {
    mixer_.select(0, s.match * 3 + static_cast<size_t>(s.expected_bit + 1));
    mixer_.select(2, confidence * 8 + bits);
    mixer_.select(3, (std::min(s.depth, kDepths - 1) * 8 + bits) * 4 + std::min(s.seen / 6, 3u));
    mixer_.select(4, s.byte1);
  } else {
    mixer_.select(0, s.match * 16 + s.match_short);
    mixer_.select(2, s.byte1);
    mixer_.select(3, s.byte2 * 8 + bits);
    mixer_.select(4, std::min(s.seen, 39u) * 8 + bits);
  }
}

uint32_t BitNetwork::predict(const BitSituation& s, uint32_t model_p) {
  int16_t* in = mixer_.inputs();
  const int model_stretch = with_model_ ? stretch(model_p) : 0;
  in[0] = static_cast<int16_t>(model_stretch);
  in[1] = kStretchOne / 4;
  const auto confidence = static_cast<uint32_t>(model_stretch + kStretchMax + 1) / kStretchOne;
  const size_t order1 = (s.byte1 << 8 | s.partial) & order1_mask_;
  const size_t order2 = mix_hash(s.partial << 16 | s.byte1 << 8 | s.byte2, 7) & order2_mask_;
  by_order1_.prefetch(order1);
  by_order2_.prefetch(order2);
  select(s, confidence);
  const int mixed = mixer_.mix(s.partial);
  const uint32_t p1 = by_order1_.refine(mixed, order1);
  const uint32_t p2 = by_order2_.refine(mixed, order2);
  uint32_t result = (p1 + p2 + 1) / 2;
  if (with_model_) {
    const uint32_t p3 =
        by_model_.refine(mixed, confidence * kDepths + std::min(s.depth, kDepths - 1));
    result = (6 * squash(mixed) + 3 * p1 + 3 * p2 + 4 * p3 + 8) / 16;
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
