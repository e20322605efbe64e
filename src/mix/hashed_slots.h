// A hash table from a context to what it remembers of the 15 binary decisions
// of a nibble.
//
// A bucket is one cache line: a 16-bit check of its context; for each decision
// a bit history (counters.h) and a bias, a correction in 1/1024 nat of some
// other prediction; and for the first nibble of a byte the byte that came last
// in this context, with the length of its run. A context looks at three buckets
// and takes over the one that has seen least when none is its own. Memory: 64
// bytes a bucket, which is the caller's. A table may have another one behind it,
// which it does not change: contexts that are new to it begin as that one knows
// them. Never fails.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace smll::mix {

class HashedSlots {
 public:
  struct alignas(64) Bucket {
    std::array<int16_t, 15> bias;
    uint16_t check;                 // 0: empty
    std::array<uint8_t, 15> state;  // [0] also says how much the bucket has seen
    uint8_t last;                   // byte that came last, if run > 0
    uint8_t run;                    // times in a row, saturating
    uint8_t touched;                // see find()
  };
  static_assert(sizeof(Bucket) == 64);

  // `buckets`: 2^bits of them, all zeros, bits >= 2. They must outlive it, as must `behind`, which
  // may be null.
  HashedSlots(Bucket* buckets, int bits, const HashedSlots* behind = nullptr)
      : shift_(64 - bits), behind_(behind), buckets_(buckets) {}
  size_t size() const { return size_t{1} << (64 - shift_); }
  // The same table in other memory, to which its buckets were copied.
  HashedSlots at(Bucket* buckets) const { return {buckets, 64 - shift_, behind_}; }
  // Index of the bucket of a context, made for it when there is none.
  uint32_t find(uint64_t hash);
  Bucket& operator[](uint32_t index) { return buckets_[index]; }
  void prefetch(uint64_t hash) const {
    __builtin_prefetch(&buckets_[hash >> shift_]);
    if (behind_ != nullptr) __builtin_prefetch(&behind_->buckets_[hash >> behind_->shift_]);
  }

 private:
  // The bucket of a context; null when there is none.
  const Bucket* look(uint64_t hash) const;

  int shift_;
  const HashedSlots* behind_;
  Bucket* buckets_;
};

// Spreads a context over 64 bits. The high bits index, the low ones check.
inline uint64_t mix_hash(uint64_t a, uint64_t b) {
  uint64_t h = (a + 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
  h ^= h >> 32;
  h = (h + b) * 0xa0761d6478bd642fu;
  return h ^ h >> 29;
}

}  // namespace smll::mix
