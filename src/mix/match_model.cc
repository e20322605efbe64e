#include "mix/match_model.h"

#include <algorithm>
#include <bit>

#include "mix/hashed_slots.h"

namespace smll::mix {
namespace {

constexpr uint32_t kLongest = 65535;  // lengths are not counted beyond
constexpr uint32_t kCompare = 48;     // a fresh candidate is compared this far

constexpr uint32_t kTrustLimit = 255;

}  // namespace

MatchModel::MatchModel(uint32_t min_length, int hash_bits)
    : min_length_(min_length), shift_(64 - hash_bits), last_(size_t{1} << hash_bits) {
  // Lengths, and whether the match has failed lately.
  for (uint32_t i = 0; i < 16 * 4; ++i) {
    trust_.emplace_back(65535u - 32768u / (2 + (i >> 2)), 4);
  }
}

MatchModel::MatchModel(const MatchModel& learned, int hash_bits)
    : min_length_(learned.min_length_),
      shift_(64 - hash_bits),
      last_(size_t{1} << hash_bits),
      behind_(&learned),
      trust_(learned.trust_) {}

MatchModel::Place MatchModel::find_last(uint64_t hash) const {
  const Place& own = last_[hash >> shift_];
  const bool is_own = own.after != 0 && own.check == static_cast<uint32_t>(hash);
  return is_own || behind_ == nullptr ? own : behind_->find_last(hash);
}

uint32_t MatchModel::bucket(const Cursor& cursor) {
  if (cursor.expected < 0) return 0;
  const uint32_t n = cursor.length;
  if (n < 8) return std::max(1u, n / 2);
  if (n < 32) return 4 + (n - 8) / 4;                                               // 4..9
  return std::min<uint32_t>(15, 5 + static_cast<uint32_t>(std::bit_width(n)) - 1);  // 10..15
}

void MatchModel::advance(Cursor& cursor, std::span<const uint8_t> bytes,
                         std::span<const LaneBytes> lanes, size_t lane) {
  const LaneBytes& own = lanes[lane];
  const size_t end = own.known;
  const uint8_t newest = bytes[end - 1];
  if (cursor.length > 0 && cursor.at < lanes[cursor.at_lane].known && bytes[cursor.at] == newest) {
    if (cursor.length < kLongest) ++cursor.length;
    if (cursor.missed < 255) ++cursor.missed;
    ++cursor.at;
    if (cursor.at >= lanes[cursor.at_lane].end) {
      if (++cursor.at_lane >= lanes.size()) {
        cursor.at_lane = 0;
        cursor.length = 0;
      }
    }
  } else {
    if (cursor.length > 0) cursor.missed = 0;
    cursor.length = 0;
  }
  if (end - own.begin >= min_length_) {
    uint64_t hash = min_length_;
    for (size_t i = end - min_length_; i < end; ++i) hash = (hash + bytes[i] + 1) * 0x2f0b4c47u;
    const uint64_t mixed = mix_hash(hash, 0);
    const auto check = static_cast<uint32_t>(mixed);
    const Place last = find_last(mixed);
    if (cursor.length == 0 && last.after != 0 && last.check == check) {
      const size_t candidate = last.after - 1;
      // The lane that holds the byte before the candidate: it was known, so it
      // has one.
      size_t l = lane;
      if (candidate - 1 < own.begin || candidate - 1 >= own.end) {
        const auto after = std::upper_bound(
            lanes.begin(), lanes.end(), candidate - 1,
            [](size_t position, const LaneBytes& bytes_of) { return position < bytes_of.begin; });
        l = static_cast<size_t>(after - lanes.begin()) - 1;
      }
      uint32_t same = 0;
      const size_t longest =
          std::min<size_t>({kCompare, candidate - lanes[l].begin, end - own.begin});
      while (same < longest && bytes[candidate - 1 - same] == bytes[end - 1 - same]) ++same;
      if (same >= min_length_) {
        cursor.length = same;
        cursor.at = candidate;
        cursor.at_lane = static_cast<uint32_t>(l);
      }
      if (cursor.at >= lanes[cursor.at_lane].end && ++cursor.at_lane >= lanes.size()) {
        cursor.at_lane = 0;
        cursor.length = 0;
      }
    }
    last_[mixed >> shift_] = {static_cast<uint32_t>(end + 1), check};
  }
  cursor.expected = cursor.length > 0 && cursor.at < lanes[cursor.at_lane].known &&
                            cursor.at >= lanes[cursor.at_lane].begin
                        ? bytes[cursor.at]
                        : -1;
}

void MatchModel::predict(const Cursor& cursor, uint32_t partial, int16_t* inputs) {
  expected_bit_ = -1;
  inputs[0] = 0;
  inputs[1] = 0;
  if (cursor.expected < 0) return;
  const int bits = std::bit_width(partial) - 1;
  expected_bit_ = cursor.expected >> (7 - bits) & 1;
  const uint32_t recency =
      cursor.missed < 8 ? 0 : (cursor.missed < 16 ? 1 : (cursor.missed < 32 ? 2 : 3));
  trust_at_ = bucket(cursor) * 4 + recency;
  const uint32_t p = trust_[trust_at_].p();
  const int sign = expected_bit_ != 0 ? 1 : -1;
  inputs[0] = static_cast<int16_t>(sign * stretch(p));
  inputs[1] = static_cast<int16_t>(sign * (static_cast<int>(p) - 32768) / 16);
}

void MatchModel::update(Cursor& cursor, uint32_t partial, int bit) {
  (void)partial;
  if (expected_bit_ < 0) return;
  trust_[trust_at_].update(bit == expected_bit_, kTrustLimit);
  if (bit != expected_bit_) cursor.expected = -1;
}

}  // namespace smll::mix
