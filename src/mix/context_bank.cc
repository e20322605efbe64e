#include "mix/context_bank.h"

#include <algorithm>
#include <bit>

namespace smll::mix {
namespace {

constexpr uint32_t kMapLimit = 255;

// Two nibbles a byte, at most, each with its bucket: half full even if no context ever repeats.
int slot_bits(size_t frame_bytes, size_t inputs_each) {
  const int wanted = static_cast<int>(std::bit_width(frame_bytes * 2)) + 1;
  return std::clamp(wanted, 5, inputs_each == 1 ? 20 : 18);
}

size_t node_of(uint32_t partial) {
  const uint32_t nibble = partial < 16 ? partial : 16u >> (9 - std::bit_width(partial)) |
                                                       (partial & ((1u << (std::bit_width(partial) - 5)) - 1));
  return nibble - 1;
}

}  // namespace

ContextBank::ContextBank(uint32_t networks, uint64_t leave_out, size_t inputs_each,
                         size_t frame_bytes)
    : inputs_each_(inputs_each) {
  const auto rows = context_rows();
  for (size_t i = 0; i < rows.size(); ++i) {
    if ((rows[i].networks & networks) == 0 || (leave_out >> i & 1) != 0) continue;
    contexts_.push_back({rows[i].hash, i + 1, HashedSlots(slot_bits(frame_bytes, inputs_each)),
                         HistoryMap(HistoryMap::Kind::kState),
                         HistoryMap(HistoryMap::Kind::kRecent)});
  }
}

void ContextBank::start_byte(Cursor& cursor, const LaneHistory& history) {
  for (size_t i = 0; i < contexts_.size(); ++i) {
    const uint64_t hash = mix_hash(contexts_[i].hash(history), contexts_[i].salt);
    cursor.hash[i] = hash;
    contexts_[i].slots.prefetch(hash);
  }
}

void ContextBank::predict(Cursor& cursor, uint32_t partial, int16_t* inputs) {
  if (partial == 1) {
    for (size_t i = 0; i < contexts_.size(); ++i) {
      cursor.bucket[i] = contexts_[i].slots.find(cursor.hash[i]);
    }
  } else if (partial >= 16 && partial < 32) {
    for (size_t i = 0; i < contexts_.size(); ++i) {
      cursor.bucket[i] = contexts_[i].slots.find(mix_hash(cursor.hash[i], partial));
    }
  }
  const size_t node = node_of(partial);
  uint32_t seen = 0;
  for (size_t i = 0; i < contexts_.size(); ++i) {
    Context& context = contexts_[i];
    const HashedSlots::Bucket& bucket = context.slots[cursor.bucket[i]];
    const uint8_t state = bucket.state[node];
    int16_t* out = inputs + i * inputs_each_;
    if (state == 0) {
      std::fill_n(out, inputs_each_, int16_t{0});
      continue;
    }
    ++seen;
    const uint32_t p = context.by_state.p(state);
    out[0] = static_cast<int16_t>(stretch(p));
    if (inputs_each_ == 1) continue;
    out[1] = static_cast<int16_t>(stretch(context.by_recent.p(bucket.recent[node])));
    out[2] = static_cast<int16_t>((static_cast<int>(p) - 32768) / 16);
  }
  cursor.order_seen = seen;
}

void ContextBank::update(Cursor& cursor, uint32_t partial, int bit) {
  const BitStates& states = bit_states();
  const size_t node = node_of(partial);
  for (size_t i = 0; i < contexts_.size(); ++i) {
    Context& context = contexts_[i];
    HashedSlots::Bucket& bucket = context.slots[cursor.bucket[i]];
    uint8_t& state = bucket.state[node];
    if (state != 0) context.by_state.update(state, bit, kMapLimit);
    state = states.next[state][static_cast<size_t>(bit)];
    if (inputs_each_ == 1) continue;
    uint8_t& recent = bucket.recent[node];
    if (recent != 0) context.by_recent.update(recent, bit, kMapLimit);
    recent = append_recent(recent, bit);
  }
}

}  // namespace smll::mix
