// Predicts that what followed an earlier occurrence of the last bytes follows
// again.
//
// A hash of the last `min_length` bytes leads to the most recent place in the
// frame, in any lane, where they occurred; candidates are compared byte by
// byte, so a length is real. How far an expected bit can be trusted is learned
// by match length. Positions are bytes of the frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/zeroed_table.h"
#include "mix/counters.h"

namespace smll::mix {

// What is known of the frame so far: lane `l` holds bytes [begin, size) and
// knows those before `known`.
struct LaneBytes {
  size_t begin;
  size_t end;
  size_t known;  // position after the last known byte
};

class MatchModel {
 public:
  // A lane's part of the model.
  struct Cursor {
    size_t at = 0;      // position of the expected byte, meaningful while length > 0
    size_t at_end = 0;  // end of the known bytes of its lane cannot pass this
    uint32_t at_lane = 0;
    uint32_t length = 0;  // bytes that matched before `at`; 0: no match
    uint32_t missed = 0;  // bytes since the last failure, saturating
    int expected = -1;    // byte expected, -1: none (any more)
  };
  static constexpr size_t kInputs = 2;

  MatchModel(uint32_t min_length, int hash_bits);
  // Goes on from what `learned`, which must outlive it, found in bytes that the
  // frame begins with.
  MatchModel(const MatchModel& learned, int hash_bits);
  // Bytes of its table.
  static uint64_t memory(int hash_bits) { return sizeof(Place) << hash_bits; }
  // To be called after each byte of a lane.
  void advance(Cursor& cursor, std::span<const uint8_t> bytes, std::span<const LaneBytes> lanes,
               size_t lane);
  // Two inputs for the next bit, of a byte whose leading bits (under a leading
  // one) are `partial`.
  void predict(const Cursor& cursor, uint32_t partial, int16_t* inputs);
  void update(Cursor& cursor, uint32_t partial, int bit);
  // 0: nothing expected, else 1..15 by length.
  static uint32_t bucket(const Cursor& cursor);

 private:
  uint32_t min_length_;
  int shift_;
  // Where bytes of a hash occurred last.
  struct Place {
    uint32_t after = 0;  // position + 1 after them; 0: nowhere
    uint32_t check =
        0;  // more of their hash: other bytes need not be looked at, which are far away
  };
  Place find_last(uint64_t hash) const;

  ZeroedTable<Place> last_;
  const MatchModel* behind_ = nullptr;  // for places that last_ has none of
  std::vector<AdaptiveProb> trust_;
  uint32_t trust_at_ = 0;
  int expected_bit_ = -1;
};

}  // namespace smll::mix
