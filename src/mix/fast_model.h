// The context models that code data which does not wait for a language model:
// few contexts, one input each, two weight vectors. Same kinds of parts as the
// strong network, with everything on a decision's path kept in few cache lines.
//
// Units as in logistic.h. One decision is predict() then update(), of any lane.
// Never fails.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/zeroed_table.h"
#include "mix/counters.h"
#include "mix/match_model.h"

namespace smll::mix {

class FastModel {
 public:
  FastModel(size_t frame_bytes, size_t lanes);
  // Bytes of the tables.
  static uint64_t memory(size_t frame_bytes);
  uint32_t predict(size_t lane);
  void update(size_t lane, int bit);
  // To be called when the lane's byte, the last of `lanes[lane].known`, is
  // complete.
  void end_byte(size_t lane, std::span<const uint8_t> bytes, std::span<const LaneBytes> lanes);

 private:
  static constexpr size_t kHashed = 5;              // contexts in hashed slots
  static constexpr size_t kContexts = kHashed + 1;  // and order 1, directly indexed
  static constexpr size_t kInputs = 8;              // contexts, match, bias
  // A nibble of one context: a check and 15 bit histories.
  struct alignas(16) Slot {
    uint8_t check;
    std::array<uint8_t, 15> state;
  };
  // Where a lane is.
  struct Cursor {
    std::array<uint64_t, kHashed> hash{};
    std::array<uint32_t, kHashed> slot{};
    uint64_t last8 = 0;
    uint64_t word = 0;
    uint32_t partial = 1;
    MatchModel::Cursor match;
  };

  void begin_nibble(Cursor& cursor);
  uint32_t find(uint64_t hash);

  int shift_;
  ZeroedTable<Slot> slots_;
  std::vector<uint8_t> order1_;
  std::vector<Cursor> cursors_;
  MatchModel match_;
  std::array<HistoryMap, kContexts> maps_;
  alignas(16) std::array<int16_t, kInputs> inputs_{};
  std::array<uint8_t*, kContexts> at_{};
  std::vector<int32_t> weights_;
  std::array<size_t, 2> vector_{};
  std::array<int, 2> opinion_{};
  size_t order1_mask_;
  ProbMap by_order1_;
};

}  // namespace smll::mix
