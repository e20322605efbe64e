#include "mix/end_model.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "mix/hashed_slots.h"

namespace smll::mix {
namespace {

constexpr size_t kInputsEach = 2;  // per context: what its bit history has meant, its bias
constexpr uint32_t kMapLimit = 255;
constexpr uint32_t kDepths = 12;
constexpr size_t kSetSizes[] = {kDepths * 16, 16 * 3, 256};
constexpr GatedMixer::Rates kRates{250, 100, 200, 40};
// What a bias counts at first: these decisions are few, and weights that start at nothing come too
// late.
constexpr int32_t kBiasWeight = 8000;

std::vector<int32_t> start_weights(size_t contexts, bool short_text) {
  std::vector<int32_t> weights(1 + contexts * kInputsEach + 1, 0);
  weights[0] = kWeightOne;
  if (short_text) return weights;
  for (size_t i = 0; i < contexts; ++i) weights[2 + kInputsEach * i] = kBiasWeight;
  return weights;
}

int slot_bits(size_t frame_bytes) {
  return std::clamp(static_cast<int>(std::bit_width(frame_bytes)) + 2, 8, 21);
}

}  // namespace

uint64_t EndModel::memory(size_t frame_bytes) { return sizeof(Slot) << slot_bits(frame_bytes); }

EndModel::EndModel(size_t frame_bytes)
    : shift_(64 - slot_bits(frame_bytes)),
      slots_(size_t{1} << (64 - shift_)),
      by_state_(kContexts, HistoryMap()),
      repeat_trust_(32, AdaptiveProb(60000, 2)),
      mixer_(start_weights(kContexts, frame_bytes < kShortText), kSetSizes, kDepths,
             frame_bytes < kShortText ? kRatesShortText : kRates),
      by_depth_(kDepths, 30, 500),
      by_byte_(256, 30, 255) {}

EndModel::EndModel(const EndModel& learned, size_t frame_bytes)
    : shift_(64 - slot_bits(frame_bytes)),
      behind_(&learned),
      slots_(size_t{1} << (64 - shift_)),
      by_state_(learned.by_state_),
      repeat_trust_(learned.repeat_trust_),
      mixer_(learned.mixer_),
      by_depth_(learned.by_depth_),
      by_byte_(learned.by_byte_) {}

EndModel::Slot& EndModel::find(size_t context, uint64_t hash) {
  const uint64_t h = mix_hash(hash, context + 101);
  Slot& slot = slots_[h >> shift_];
  const auto check = static_cast<uint16_t>(h | 1u);
  if (slot.check == check) return slot;
  slot = {check, 0, 0};
  if (behind_ != nullptr) {
    const Slot& known = behind_->slots_[h >> behind_->shift_];
    if (known.check == check) slot = known;
  }
  return slot;
}

uint32_t EndModel::predict(const LaneHistory& h, uint32_t model_p, int repeat,
                           uint32_t repeat_bucket) {
  const uint64_t prefix = h.prefix + h.depth;
  const std::array<uint64_t, kContexts> hashes = {
      prefix,
      mix_hash(prefix, h.tokens[0]),
      mix_hash(mix_hash(prefix, h.tokens[0]), h.tokens[1]),
      mix_hash(h.bytes(2), h.depth),
      mix_hash(h.bytes(4), h.depth),
      mix_hash(h.bytes(6), h.depth),
      mix_hash(h.word, h.depth),
      mix_hash(mix_hash(h.word, h.word_before), h.depth),
      mix_hash(mix_hash(h.expected, h.bytes(1)), h.depth)};
  int16_t* in = mixer_.inputs();
  const int model_stretch = stretch(model_p);
  model_stretch_ = model_stretch;
  in[0] = static_cast<int16_t>(model_stretch);
  for (size_t i = 0; i < kContexts; ++i) {
    const Slot& slot = *(at_[i] = &find(i, hashes[i]));
    const bool known = slot.state != 0;
    in[1 + kInputsEach * i] =
        known ? static_cast<int16_t>(stretch(by_state_[i].p(slot.state))) : int16_t{0};
    in[2 + kInputsEach * i] = slot.bias;
  }
  repeat_ = repeat;
  int16_t& repeat_input = in[1 + kInputsEach * kContexts];
  repeat_input = 0;
  if (repeat >= 0) {
    repeat_at_ = repeat_bucket * 2 + static_cast<size_t>(repeat);
    const int trust = stretch(repeat_trust_[repeat_at_].p());
    repeat_input = static_cast<int16_t>(repeat != 0 ? trust : -trust);
  }
  const uint32_t depth = std::min(h.depth, kDepths - 1);
  const auto confidence = static_cast<uint32_t>((model_stretch + kStretchMax + 1) / 1536);
  mixer_.select(0, depth * 16 + std::min(confidence, 15u));
  mixer_.select(1, repeat_bucket * 3 + static_cast<size_t>(repeat + 1));
  mixer_.select(2, h.byte(0));
  const int mixed = mixer_.mix(depth);
  const uint32_t p1 = by_depth_.refine(mixed, depth);
  const uint32_t p2 = by_byte_.refine(mixed, h.byte(0));
  return std::clamp<uint32_t>((2 * squash(mixed) + p1 + p2 + 2) / 4, 1, kProbOne - 1);
}

void EndModel::update(int ended) {
  const BitStates& states = bit_states();
  for (size_t i = 0; i < kContexts; ++i) {
    Slot& slot = *at_[i];
    if (slot.state != 0) by_state_[i].update(slot.state, ended, kMapLimit);
    const auto counts = states.counts[slot.state];
    slot.bias =
        corrected_bias(slot.bias, model_stretch_, counts.n0 + counts.n1, ended, kModelBiasStep);
    slot.state = states.next[slot.state][static_cast<size_t>(ended)];
  }
  if (repeat_ >= 0) repeat_trust_[repeat_at_].update(ended == repeat_, kMapLimit);
  mixer_.update(ended);
  by_depth_.update(ended);
  by_byte_.update(ended);
}

}  // namespace smll::mix
