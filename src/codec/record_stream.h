// Runs the language model over the lanes of a frame that is encoded, and keeps its probabilities
// along their tokens.
//
// What is coded with the probabilities goes through all lanes in lock-step, one unit after another:
// the part that is ahead of the others sees to it now and then, so that no core waits for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "codec/lane_stream.h"
#include "codec/model_coder.h"
#include "text/vocabulary.h"

namespace smll::codec {

// Called with the number of tokens of each lane that are recorded; one call at a time, from several
// threads.
using Meanwhile = std::function<void(std::span<const std::size_t> recorded)>;

class RecordStream : public LaneStream {
 public:
  // `frame`, whose paths are made here, and `vocabulary` must outlive it; `meanwhile` may be empty,
  // and its last call need not come after the last token.
  RecordStream(ModelledFrame& frame, const text::Vocabulary& vocabulary, Meanwhile meanwhile = {});

  std::size_t lanes() const override { return feeds_.size(); }
  std::size_t max_parts() const override { return feeds_.size(); }
  std::size_t rows() const override;
  void share_lanes(std::size_t parts) override;
  void open(std::size_t part, lm::Predictor& predictor) override;
  void collect(std::size_t part, lm::Predictor& predictor, const Room& room,
               std::vector<lm::LaneInput>& batch) override;
  void advance(std::size_t part) override;

 protected:
  bool is_done(std::size_t lane) const override {
    return feeds_[lane].done == feeds_[lane].inputs.size();
  }

 private:
  // The model's side of a lane: what goes in and what is asked of each answer.
  struct Feed {
    std::vector<Token> inputs;        // the lane's first, then every token but the last
    std::vector<std::uint32_t> rows;  // the token that comes after each input
    std::size_t asked = 0;            // inputs of the batch
    std::atomic<std::size_t> done = 0;
  };
  // Tokens of a part.
  struct Share {
    std::size_t tokens = 0;  // in all
    std::atomic<std::size_t> done = 0;
  };

  bool is_ahead(const Share& share) const;
  void work_meanwhile();

  ModelledFrame& frame_;
  const text::Vocabulary& vocabulary_;
  const Meanwhile meanwhile_;
  std::vector<Feed> feeds_;
  std::vector<Share> shares_;  // by part
  std::size_t all_tokens_ = 0;
  std::mutex meanwhile_mutex_;
};

}  // namespace smll::codec
