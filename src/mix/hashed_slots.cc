#include "mix/hashed_slots.h"

#include "mix/counters.h"

namespace smll::mix {

namespace {

uint16_t check_of(uint64_t hash) { return static_cast<uint16_t>((hash & 0xffffu) | 1u); }

}  // namespace

const HashedSlots::Bucket* HashedSlots::look(uint64_t hash) const {
  const auto first = static_cast<uint32_t>(hash >> shift_);
  for (const uint32_t c : {first, first ^ 1u, first ^ 2u}) {
    if (buckets_[c].check == check_of(hash)) return &buckets_[c];
  }
  return nullptr;
}

uint32_t HashedSlots::find(uint64_t hash) {
  const auto first = static_cast<uint32_t>(hash >> shift_);
  const uint16_t check = check_of(hash);
  // A fresh page that is read before it is written moves, and then the system stops every other
  // thread of the process for a moment: hence a write first.
  buckets_[first].touched = 1;
  const uint32_t candidates[] = {first, first ^ 1u, first ^ 2u};
  for (const uint32_t c : candidates) {
    if (buckets_[c].check == check) return c;
  }
  const auto& counts = bit_states().counts;
  uint32_t victim = first;
  int least = 1 << 16;
  for (const uint32_t c : candidates) {
    const auto seen = counts[buckets_[c].state[0]];
    if (seen.n0 + seen.n1 < least) {
      least = seen.n0 + seen.n1;
      victim = c;
    }
  }
  const Bucket* known = behind_ == nullptr ? nullptr : behind_->look(hash);
  buckets_[victim] = known == nullptr ? Bucket{} : *known;
  buckets_[victim].check = check;
  return victim;
}

}  // namespace smll::mix
