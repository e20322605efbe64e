// A hash table from a context to the histories of the 15 binary decisions of a nibble.
//
// A bucket is 32 bytes: a 16-bit check of its context, and for each decision a bit history and a recent history
// (counters.h). A context looks at three buckets, two of them in one cache line, and takes over the one that
// has seen least when none is its own. Memory: 32 bytes a bucket. Never fails, except that the constructor may throw
// std::bad_alloc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace smll::mix {

class HashedSlots {
 public:
  struct alignas(32) Bucket {
    uint16_t check;
    std::array<uint8_t, 15> state;   // [0] also says how old the bucket is: nothing precedes it
    std::array<uint8_t, 15> recent;
  };
  static_assert(sizeof(Bucket) == 32);

  // 2^bits buckets, bits >= 2.
  explicit HashedSlots(int bits);
  // Index of the bucket of a context, made for it when there is none.
  uint32_t find(uint64_t hash);
  Bucket& operator[](uint32_t index) { return buckets_[index]; }
  void prefetch(uint64_t hash) const { __builtin_prefetch(&buckets_[hash >> shift_]); }

 private:
  int shift_;
  std::vector<Bucket> buckets_;
};

// Spreads a context over 64 bits. The high bits index, the low ones check.
inline uint64_t mix_hash(uint64_t a, uint64_t b) {
  uint64_t h = (a + 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
  h ^= h >> 32;
  h = (h + b) * 0xa0761d6478bd642fu;
  return h ^ h >> 29;
}

}  // namespace smll::mix
