// Runs the contexts of contexts.h: finds what each has seen, turns it into mixer inputs, trains it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mix/contexts.h"
#include "mix/counters.h"
#include "mix/hashed_slots.h"

namespace smll::mix {

class ContextBank {
 public:
  static constexpr size_t kMaxContexts = 28;
  // A lane's place in every table: the buckets of the present nibble.
  struct Cursor {
    std::array<uint32_t, kMaxContexts> bucket;
    std::array<uint64_t, kMaxContexts> hash;
    uint32_t order_seen = 0;  // contexts that have seen the present decision
  };

  // Contexts of any of `networks` but those of `leave_out` (bit i: row i of context_rows()).
  // `inputs_each`: 1 (the bit history) or 3 (and the recent history, and the distance from 1/2).
  ContextBank(uint32_t networks, uint64_t leave_out, size_t inputs_each, size_t frame_bytes);

  size_t input_count() const { return contexts_.size() * inputs_each_; }
  // To be called when a lane's next byte begins, with its history.
  void start_byte(Cursor& cursor, const LaneHistory& history);
  // Inputs of the next bit of a byte whose leading bits (under a leading one) are `partial`.
  void predict(Cursor& cursor, uint32_t partial, int16_t* inputs);
  void update(Cursor& cursor, uint32_t partial, int bit);

 private:
  struct Context {
    uint64_t (*hash)(const LaneHistory&);
    uint64_t salt;
    HashedSlots slots;
    HistoryMap by_state;
    HistoryMap by_recent;
  };
  std::vector<Context> contexts_;
  size_t inputs_each_;
};

}  // namespace smll::mix
