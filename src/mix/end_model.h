// Predicts whether a token of the language model ends where it could.
//
// The model's own probability is mixed with what token prefixes and preceding
// bytes have meant for it so far, and with whether a token ended at the same
// place of a repeat. Same units as the rest of `smll::mix`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mix/contexts.h"
#include "mix/counters.h"
#include "mix/mixer.h"

namespace smll::mix {

class EndModel {
 public:
  explicit EndModel(size_t frame_bytes);
  // Goes on from what `learned`, which must outlive it, knows; its table is that
  // of a frame of `frame_bytes`.
  EndModel(const EndModel& learned, size_t frame_bytes);
  EndModel(const EndModel&) = default;
  // Bytes of its table.
  static uint64_t memory(size_t frame_bytes);
  // `repeat`: -1 nothing known, else whether a token ended at the matching
  // place; `repeat_bucket` is MatchModel::bucket().
  uint32_t predict(const LaneHistory& history, uint32_t model_p, int repeat,
                   uint32_t repeat_bucket);
  void update(int ended);

 private:
  static constexpr size_t kContexts = 9;
  struct Slot {
    uint16_t check;
    int16_t bias;  // correction of the model's stretch
    uint8_t state;
  };
  Slot& find(size_t context, uint64_t hash);

  int shift_;
  const EndModel* behind_ = nullptr;  // what slots_ lacks begins as its slots
  std::vector<Slot> slots_;
  std::vector<HistoryMap> by_state_;
  std::array<Slot*, kContexts> at_{};
  std::vector<AdaptiveProb> repeat_trust_;
  size_t repeat_at_ = 0;
  int repeat_ = -1;
  int model_stretch_ = 0;
  GatedMixer mixer_;
  ProbMap by_depth_;
  ProbMap by_byte_;
};

}  // namespace smll::mix
