// Runs the contexts of contexts.h: finds what each has seen, turns it into
// mixer inputs, trains it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/zeroed_table.h"
#include "mix/contexts.h"
#include "mix/counters.h"
#include "mix/hashed_slots.h"

namespace smll::mix {

class ContextBank {
 public:
  static constexpr size_t kMaxContexts = 40;
  // Per context: what its bit history has meant, its last byte, its bias.
  static constexpr size_t kInputsEach = 3;

  // What biases correct. kModel: the language model's opinion of this decision,
  // so a bias says how the text departs from it here. kChain: the context
  // before in the table. kNothing: they are not trained.
  enum class Base : uint8_t { kNothing, kModel, kChain };

  // A lane's place in every table.
  struct Cursor {
    std::array<uint64_t, kMaxContexts> hash;
    std::array<uint32_t, kMaxContexts> first;   // bucket of the byte's first nibble
    std::array<uint32_t, kMaxContexts> bucket;  // bucket of the present nibble
    uint32_t seen = 0;                          // contexts that know the present decision
  };

  // Contexts of any of `networks` but those of `leave_out` (bit i: row i of
  // context_rows()).
  ContextBank(uint32_t networks, uint64_t leave_out, size_t frame_bytes);
  // Goes on from what `learned`, which must outlive it, knows; its tables are
  // those of a frame of `frame_bytes`.
  ContextBank(const ContextBank& learned, size_t frame_bytes);
  ContextBank(const ContextBank& other);

  // Bytes of the tables.
  static uint64_t memory(uint32_t networks, size_t frame_bytes);

  size_t input_count() const { return contexts_.size() * kInputsEach; }
  // To be called when a lane's next byte begins, with its history.
  void start_byte(Cursor& cursor, const LaneHistory& history);
  // Inputs of the next bit of a byte whose leading bits (under a leading one)
  // are `partial`. `model_stretch` counts with Base::kModel only.
  void predict(Cursor& cursor, uint32_t partial, Base base, int model_stretch, int16_t* inputs);
  // Trains what predict() looked at.
  void update(Cursor& cursor, uint32_t partial, int bit);

 private:
  static constexpr size_t kRuns = 16;
  struct Context {
    uint64_t (*hash)(const LaneHistory&);
    uint64_t salt;
    int most_bits;  // of its slots
    HashedSlots slots;
    HistoryMap by_state;
    std::array<AdaptiveProb, kRuns * 8>
        by_run;  // trust in the last byte: run, bits of the byte known
  };
  // Buckets of the same contexts in a frame of `frame_bytes`.
  size_t buckets_for(size_t frame_bytes) const;
  ZeroedTable<HashedSlots::Bucket> buckets_;  // of all contexts, one context's after another's
  std::vector<Context> contexts_;
  Base base_ = Base::kNothing;
  std::array<int, kMaxContexts> base_stretch_{};
};

}  // namespace smll::mix
