#include "mix/fast_model.h"

#include <algorithm>
#include <bit>

#include "mix/hashed_slots.h"
#include "mix/mixer.h"
#include "mix/mixer_kernels.h"

namespace smll::mix {
namespace {

constexpr uint32_t kMapLimit = 1023;
constexpr int kRate = 300;
constexpr size_t kSmallFrame = 8192;  // refined by order 0, to save the setting up
constexpr size_t kMatchVectors = 16 * 3;

int slot_bits(size_t frame_bytes) {
  return std::clamp(static_cast<int>(std::bit_width(frame_bytes * 10)), 8, 22);
}

int match_bits(size_t frame_bytes) {
  return std::clamp(static_cast<int>(std::bit_width(frame_bytes)), 6, 18);
}

size_t order1_contexts(size_t frame_bytes) { return frame_bytes < kSmallFrame ? 256 : 65536; }

}  // namespace

FastModel::FastModel(size_t frame_bytes, size_t lanes)
    : shift_(64 - slot_bits(frame_bytes)),
      slots_(size_t{1} << slot_bits(frame_bytes)),
      order1_(65536, 0),
      cursors_(lanes),
      match_(7, match_bits(frame_bytes)),
      weights_((256 + kMatchVectors) * kInputs, kWeightOne * 2 / 10),
      order1_mask_(order1_contexts(frame_bytes) - 1),
      by_order1_(order1_mask_ + 1, 20, 255) {}

uint64_t FastModel::memory(size_t frame_bytes) {
  return (sizeof(Slot) << slot_bits(frame_bytes)) + MatchModel::memory(match_bits(frame_bytes)) +
         ProbMap::memory(order1_contexts(frame_bytes));
}

uint32_t FastModel::find(uint64_t hash) {
  const auto first = static_cast<uint32_t>(hash >> shift_);
  const auto check = static_cast<uint8_t>((hash & 0xffu) | 1u);
  const auto check2 = static_cast<uint8_t>(check ^ (hash >> 8 & 0x7eu));
  if (slots_[first].check == check2) return first;
  const uint32_t second = first ^ 1u;
  if (slots_[second].check == check2) return second;
  const uint32_t third = first ^ 2u;
  if (slots_[third].check == check2) return third;
  const auto& counts = bit_states().counts;
  const auto age = [&](uint32_t at) {
    const auto seen = counts[slots_[at].state[0]];
    return seen.n0 + seen.n1;
  };
  uint32_t victim = age(second) < age(first) ? second : first;
  if (age(third) < age(victim)) victim = third;
  slots_[victim] = Slot{};
  slots_[victim].check = check2;
  return victim;
}

void FastModel::begin_nibble(Cursor& cursor) {
  if (cursor.partial == 1) {
    for (size_t i = 0; i < kHashed; ++i) cursor.slot[i] = find(cursor.hash[i]);
  } else {
    for (uint64_t& hash : cursor.hash) {
      hash = (hash + cursor.partial) * 0xa0761d6478bd642fu;
      hash ^= hash >> 31;
      __builtin_prefetch(&slots_[hash >> shift_]);
    }
    for (size_t i = 0; i < kHashed; ++i) cursor.slot[i] = find(cursor.hash[i]);
  }
}

uint32_t FastModel::predict(size_t lane) {
  Cursor& cursor = cursors_[lane];
  const uint32_t partial = cursor.partial;
  if (partial == 1 || (partial >= 16 && partial < 32)) begin_nibble(cursor);
  const size_t curve = ((cursor.last8 & 255) << 8 | partial) & order1_mask_;
  by_order1_.prefetch(curve);
  const int bits = std::bit_width(partial) - 1;
  const uint32_t node =
      (bits < 4 ? partial : (1u << (bits - 4) | (partial & ((1u << (bits - 4)) - 1)))) - 1;
  for (size_t i = 0; i < kHashed; ++i) at_[i] = &slots_[cursor.slot[i]].state[node];
  at_[kHashed] = &order1_[(cursor.last8 & 255) << 8 | partial];
  for (size_t i = 0; i < kContexts; ++i) {
    inputs_[i] = *at_[i] == 0 ? int16_t{0} : static_cast<int16_t>(stretch(maps_[i].p(*at_[i])));
  }
  int16_t match_inputs[MatchModel::kInputs];
  match_.predict(cursor.match, partial, match_inputs);
  inputs_[kContexts] = match_inputs[0];
  inputs_[kContexts + 1] = match_inputs[1];
  vector_[0] = partial * kInputs;
  vector_[1] = (256 + MatchModel::bucket(cursor.match) * 3 +
                (cursor.match.expected < 0 ? 0 : 1 + (match_inputs[0] > 0))) *
               kInputs;
  for (size_t v = 0; v < 2; ++v) opinion_[v] = dot(inputs_.data(), &weights_[vector_[v]], kInputs);
  const int mixed = (opinion_[0] + opinion_[1]) / 2;
  const uint32_t p1 = by_order1_.refine(mixed, curve);
  return std::clamp<uint32_t>((squash(mixed) + 3 * p1 + 2) / 4, 1, kProbOne - 1);
}

void FastModel::update(size_t lane, int bit) {
  Cursor& cursor = cursors_[lane];
  const BitStates& states = bit_states();
  for (size_t i = 0; i < kContexts; ++i) {
    uint8_t& state = *at_[i];
    if (state != 0) maps_[i].update(state, bit, kMapLimit);
    state = states.next[state][static_cast<size_t>(bit)];
  }
  match_.update(cursor.match, cursor.partial, bit);
  for (size_t v = 0; v < 2; ++v) {
    train(inputs_.data(), &weights_[vector_[v]], kInputs,
          scaled_error(bit, squash(opinion_[v]), kRate));
  }
  by_order1_.update(bit);
  cursor.partial = cursor.partial << 1 | static_cast<uint32_t>(bit);
}

void FastModel::end_byte(size_t lane, std::span<const uint8_t> bytes,
                         std::span<const LaneBytes> lanes) {
  Cursor& cursor = cursors_[lane];
  const uint32_t byte = cursor.partial & 255;
  cursor.partial = 1;
  cursor.last8 = cursor.last8 << 8 | byte;
  const uint32_t folded = byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;
  cursor.word = (folded >= 'a' && folded <= 'z') || byte >= 128
                    ? (cursor.word + folded) * 0x2f0b4c4750u + 1
                    : 0;
  const uint64_t last = cursor.last8;
  const std::array<uint64_t, kHashed> contexts = {last & 0xffff, last & 0xffffff, last & 0xffffffff,
                                                  last & 0xffffffffffff, cursor.word + byte};
  for (size_t i = 0; i < kHashed; ++i) {
    cursor.hash[i] = mix_hash(contexts[i], i + 1);
    __builtin_prefetch(&slots_[cursor.hash[i] >> shift_]);
  }
  match_.advance(cursor.match, bytes, lanes, lane);
}

}  // namespace smll::mix
