#include "mix/context_bank.h"

#include <algorithm>
#include <bit>

namespace smll::mix {
namespace {

constexpr uint32_t kMapLimit = 255;
constexpr uint32_t kRunLimit = 1023;

// Two nibbles a byte at most, each with its bucket. `most`: what the contexts
// of a row can differ in.
int slot_bits(size_t frame_bytes, int most) {
  return std::clamp(static_cast<int>(std::bit_width(frame_bytes * 2)), 5, most);
}

bool is_in(uint32_t networks, uint64_t leave_out, size_t row) {
  return (context_rows()[row].networks & networks) != 0 && (leave_out >> row & 1) == 0;
}

size_t bucket_count(uint32_t networks, uint64_t leave_out, size_t frame_bytes) {
  const auto rows = context_rows();
  size_t count = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (is_in(networks, leave_out, i)) count += size_t{1} << slot_bits(frame_bytes, rows[i].bits);
  }
  return count;
}

// Which of the nibble's 15 decisions follows `partial`.
size_t node_of(uint32_t partial) {
  const int bits = std::bit_width(partial) - 1;
  if (bits < 4) return partial - 1;
  const uint32_t one = 1u << (bits - 4);
  return (one | (partial & (one - 1))) - 1;
}

// Bit that `byte` has next when its leading bits are `partial`, -1 when they
// are not.
int next_bit(uint8_t byte, uint32_t partial, int bits) {
  return (byte | 256u) >> (8 - bits) == partial ? byte >> (7 - bits) & 1 : -1;
}

void append_run(HashedSlots::Bucket& bucket, uint8_t byte) {
  if (bucket.run > 0 && bucket.last == byte) {
    if (bucket.run < 255) ++bucket.run;
  } else {
    bucket.last = byte;
    bucket.run = 1;
  }
}

}  // namespace

ContextBank::ContextBank(uint32_t networks, uint64_t leave_out, size_t frame_bytes)
    : buckets_(bucket_count(networks, leave_out, frame_bytes)) {
  const auto rows = context_rows();
  HashedSlots::Bucket* buckets = buckets_.data();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!is_in(networks, leave_out, i)) continue;
    const HashedSlots slots(buckets, slot_bits(frame_bytes, rows[i].bits));
    buckets += slots.size();
    contexts_.push_back({rows[i].hash, i + 1, rows[i].bits, slots, HistoryMap(), {}});
  }
}

ContextBank::ContextBank(const ContextBank& learned, size_t frame_bytes)
    : buckets_(learned.buckets_for(frame_bytes)) {
  HashedSlots::Bucket* buckets = buckets_.data();
  for (const Context& from : learned.contexts_) {
    const HashedSlots slots(buckets, slot_bits(frame_bytes, from.most_bits), &from.slots);
    buckets += slots.size();
    contexts_.push_back({from.hash, from.salt, from.most_bits, slots, from.by_state, from.by_run});
  }
}

ContextBank::ContextBank(const ContextBank& other)
    : buckets_(other.buckets_),
      contexts_(other.contexts_),
      base_(other.base_),
      base_stretch_(other.base_stretch_) {
  HashedSlots::Bucket* buckets = buckets_.data();
  for (Context& context : contexts_) {
    context.slots = context.slots.at(buckets);
    buckets += context.slots.size();
  }
}

size_t ContextBank::buckets_for(size_t frame_bytes) const {
  size_t count = 0;
  for (const Context& context : contexts_) {
    count += size_t{1} << slot_bits(frame_bytes, context.most_bits);
  }
  return count;
}

uint64_t ContextBank::memory(uint32_t networks, size_t frame_bytes) {
  return sizeof(HashedSlots::Bucket) * bucket_count(networks, 0, frame_bytes);
}

void ContextBank::start_byte(Cursor& cursor, const LaneHistory& history) {
  for (size_t i = 0; i < contexts_.size(); ++i) {
    const uint64_t hash = mix_hash(contexts_[i].hash(history), contexts_[i].salt);
    cursor.hash[i] = hash;
    contexts_[i].slots.prefetch(hash);
  }
}

void ContextBank::predict(Cursor& cursor, uint32_t partial, Base base, int model_stretch,
                          int16_t* inputs) {
  if (partial == 1) {
    for (size_t i = 0; i < contexts_.size(); ++i) {
      cursor.first[i] = cursor.bucket[i] = contexts_[i].slots.find(cursor.hash[i]);
    }
  } else if (partial >= 16 && partial < 32) {
    std::array<uint64_t, kMaxContexts> hash;
    for (size_t i = 0; i < contexts_.size(); ++i) {
      hash[i] = mix_hash(cursor.hash[i], partial);
      contexts_[i].slots.prefetch(hash[i]);
    }
    for (size_t i = 0; i < contexts_.size(); ++i) {
      cursor.bucket[i] = contexts_[i].slots.find(hash[i]);
    }
  }
  base_ = base;
  cursor.seen = 0;
  const int bits = std::bit_width(partial) - 1;
  const size_t node = node_of(partial);
  int base_stretch = base == Base::kModel ? model_stretch : 0;
  for (size_t i = 0; i < contexts_.size(); ++i) {
    Context& context = contexts_[i];
    const HashedSlots::Bucket& bucket = context.slots[cursor.bucket[i]];
    int16_t* out = inputs + i * kInputsEach;
    base_stretch_[i] = base_stretch;
    const uint8_t state = bucket.state[node];
    if (state == 0) {
      out[0] = out[1] = out[2] = 0;
    } else {
      ++cursor.seen;
      out[0] = static_cast<int16_t>(stretch(context.by_state.p(state)));
      const HashedSlots::Bucket& first = context.slots[cursor.first[i]];
      const int expected = first.run > 0 ? next_bit(first.last, partial, bits) : -1;
      const size_t run = std::min<size_t>(first.run, kRuns - 1) * 8 + static_cast<size_t>(bits);
      const int trust = expected < 0 ? 0 : stretch(context.by_run[run].p());
      out[1] = static_cast<int16_t>(expected > 0 ? trust : -trust);
      out[2] = bucket.bias[node];
    }
    if (base == Base::kChain) base_stretch = out[0];
  }
}

void ContextBank::update(Cursor& cursor, uint32_t partial, int bit) {
  const BitStates& states = bit_states();
  const int bits = std::bit_width(partial) - 1;
  const size_t node = node_of(partial);
  const int step = base_ == Base::kModel ? kModelBiasStep : kChainBiasStep;
  for (size_t i = 0; i < contexts_.size(); ++i) {
    Context& context = contexts_[i];
    HashedSlots::Bucket& bucket = context.slots[cursor.bucket[i]];
    uint8_t& state = bucket.state[node];
    if (state != 0) context.by_state.update(state, bit, kMapLimit);
    if (base_ != Base::kNothing) {
      const int uses = states.counts[state].n0 + states.counts[state].n1;
      bucket.bias[node] = corrected_bias(bucket.bias[node], base_stretch_[i], uses, bit, step);
    }
    state = states.next[state][static_cast<size_t>(bit)];

    HashedSlots::Bucket& first = context.slots[cursor.first[i]];
    const int expected = first.run > 0 ? next_bit(first.last, partial, bits) : -1;
    if (expected >= 0) {
      const size_t run = std::min<size_t>(first.run, kRuns - 1) * 8 + static_cast<size_t>(bits);
      context.by_run[run].update(expected == bit, kRunLimit);
    }
    if (bits == 7)
      append_run(first, static_cast<uint8_t>(partial << 1 | static_cast<uint32_t>(bit)));
  }
}

}  // namespace smll::mix
