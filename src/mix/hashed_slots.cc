#include "mix/hashed_slots.h"

#include "mix/counters.h"

namespace smll::mix {

HashedSlots::HashedSlots(int bits) : shift_(64 - bits), buckets_(size_t{1} << bits) {}

uint32_t HashedSlots::find(uint64_t hash) {
  const auto first = static_cast<uint32_t>(hash >> shift_);
  const auto check = static_cast<uint16_t>((hash & 0xffffu) | 1u);  // 0 is an empty bucket
  const uint32_t candidates[] = {first, first ^ 1u, first ^ 2u};
  for (const uint32_t c : candidates) {
    if (buckets_[c].check == check) return c;
  }
  const auto& counts = bit_states().counts;
  uint32_t victim = first;
  int least = 1 << 16;
  for (const uint32_t c : candidates) {
    const auto seen = counts[buckets_[c].state[0]];
    const int age = seen.n0 + seen.n1;
    if (age < least) {
      least = age;
      victim = c;
    }
  }
  buckets_[victim] = Bucket{};
  buckets_[victim].check = check;
  return victim;
}

}  // namespace smll::mix
