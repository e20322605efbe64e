// Runs the language model over the lanes of a frame that is encoded, and keeps its probabilities
// along their tokens.
//
// With several predictors, each has a group of lanes and a thread. What is coded with the
// probabilities goes through all lanes in lock-step, one unit after another: the thread that is
// ahead of the others sees to it now and then, so that no core waits for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "codec/frame_codec.h"
#include "codec/lane_layout.h"
#include "codec/token_walk.h"
#include "predictor/predictor.h"
#include "text/vocabulary.h"

namespace smll::codec {

// Called with the number of tokens of each lane that are recorded; one call at a time, from several
// threads.
using Meanwhile = std::function<void(std::span<const std::size_t> recorded)>;

class LaneRecorder {
 public:
  // `isa` is Distribution's. At least one predictor, all of the same model; no more than there are
  // lanes. Where no threads can be started for them, the last ones are not used. `paths[i]` are
  // those of lane i's tokens (escaped units have none), made here.
  LaneRecorder(std::span<const Lane> lanes, std::span<std::vector<RecordedPath>> paths,
               const text::Vocabulary& vocabulary, std::span<Predictor* const> predictors,
               exact::Isa isa);

  // `frame_bytes` is what `progress` counts to; it is called in the caller's thread. `meanwhile`
  // may be empty; its last call need not come after the last token.
  void run(std::size_t frame_bytes, FrameStats* stats, const Progress& progress,
           const Meanwhile& meanwhile);

 private:
  // The model's side of a lane: what goes in and what is asked of each answer.
  struct Feed {
    std::vector<Token> inputs;        // the start token, then every token but the last
    std::vector<std::uint32_t> rows;  // the token that each input's logits are about
    std::atomic<std::size_t> done = 0;
  };
  // Consecutive lanes of one predictor.
  struct Group {
    Predictor* predictor;
    std::size_t begin, end;
    std::size_t tokens = 0;             // in all
    std::atomic<std::size_t> done = 0;  // tokens fed
    double model_seconds = 0;
  };

  void share_lanes(std::size_t groups);
  void run_group(Group& group, const std::function<void()>& progress, const Meanwhile& meanwhile);
  std::vector<LaneTokens> next_batch(const Group& group) const;
  void feed(Group& group, std::span<const LaneTokens> batch);
  bool is_ahead(const Group& group) const;
  void work_meanwhile(const Meanwhile& meanwhile);
  void stop(std::exception_ptr error);
  void announce();

  const text::Vocabulary& vocabulary_;
  std::span<Predictor* const> predictors_;
  const exact::Isa isa_;
  std::span<std::vector<RecordedPath>> paths_;
  std::vector<Feed> feeds_;  // of the lanes
  std::vector<Group> groups_;
  std::size_t tokens_ = 0;             // of all lanes
  std::atomic<std::size_t> done_ = 0;  // of them, fed
  std::atomic<std::uint32_t> events_ = 0;
  std::mutex meanwhile_mutex_;
  std::atomic<bool> stopped_ = false;
  std::mutex error_mutex_;
  std::exception_ptr error_;  // the first one: everybody stops
};

}  // namespace smll::codec
