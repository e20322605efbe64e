// Decodes the lanes of a frame with the language model, alone or mixed with context models.
//
// All lanes go in lock-step: round by round, one unit of each lane, in the lanes' order. What the
// mixer predicts depends on that order; what the model predicts does not. So with several
// predictors, each has a group of lanes and a thread, and only mixing and coding wait for their
// turn: while one group's units are decoded, the others run the model.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <vector>

#include "codec/frame_codec.h"
#include "codec/unit_coder.h"
#include "coder/range_coder.h"
#include "mix/frame_mixer.h"
#include "predictor/predictor.h"
#include "text/vocabulary.h"

namespace smll::codec {

class LaneDecoder {
 public:
  // `escapes`: as UnitCoder has it; `isa`: as Distribution. At least one predictor, all of the same
  // model; no more than there are lanes. Where no threads can be started for them, the last ones
  // are not used.
  LaneDecoder(coder::Decoder& coder, std::span<const mix::LaneExtent> extents, bool escapes,
              mix::FrameMixer& mixer, const text::Vocabulary& vocabulary,
              std::span<Predictor* const> predictors, exact::Isa isa);

  // The bytes are the mixer's, then. Throws Error(kData) where the code is not valid. `progress` is
  // called in the caller's thread.
  void run(FrameStats* stats, const Progress& progress);

 private:
  struct Lane {
    std::size_t room = 0;  // bytes left to decode
    Token input = 0;       // to be fed next
    bool waiting = true;   // `input` has not been fed yet
    Distribution distribution;
  };
  // Consecutive lanes of one predictor.
  struct Group {
    Predictor* predictor;
    std::size_t begin, end;
    std::vector<LaneTokens> batch;
    double model_seconds = 0;
    bool finished = false;
  };
  struct Done {
    std::size_t bytes = 0;
    std::uint64_t tokens = 0;
  };
  // Progress is called so often where the caller's thread only waits.
  static constexpr std::chrono::milliseconds kTick{50};

  void share_lanes(std::size_t groups);
  void run_group(std::size_t index, const Progress& progress);
  bool feed(Group& group);
  void decode_round(const Group& group);
  void decode_unit(std::size_t index, const Group& group);
  void advance(Lane& lane, std::size_t bytes);
  bool wait_for_turn(std::size_t index);
  void pass_turn(std::size_t index);
  void wait_for_others(const Progress& progress);
  void stop(std::exception_ptr error);

  coder::Decoder& coder_;
  UnitCoder<coder::Decoder> units_;
  const text::Vocabulary& vocabulary_;
  std::span<Predictor* const> predictors_;
  const exact::Isa isa_;
  std::vector<Lane> lanes_;
  std::vector<Group> groups_;
  std::size_t bytes_ = 0;
  std::uint64_t tokens_ = 0;

  std::mutex mutex_;  // of what follows, and of Group::finished
  std::condition_variable turn_passed_;
  std::size_t turn_ = 0;
  Done done_;                 // when the last turn was passed
  std::exception_ptr error_;  // the first one: everybody stops
};

}  // namespace smll::codec
