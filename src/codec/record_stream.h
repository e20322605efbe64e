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

#include "codec/model_coder.h"
#include "codec/stream.h"
#include "text/vocabulary.h"

namespace smll::codec {

// Called with the number of tokens of each lane that are recorded; one call at a time, from several
// threads.
using Meanwhile = std::function<void(std::span<const std::size_t> recorded)>;

class RecordStream : public Stream {
 public:
  // `frame`, whose paths are made here, must outlive it; `meanwhile` may be empty, and its last
  // call need not come after the last token.
  RecordStream(ModelledFrame& frame, const text::Vocabulary& vocabulary, Meanwhile meanwhile = {});

  std::size_t lanes() const override { return feeds_.size(); }
  std::size_t max_parts() const override { return feeds_.size(); }
  std::size_t rows() const override;
  void share_lanes(std::size_t parts) override;
  void open(std::size_t part, lm::Predictor& predictor) override;
  void collect(std::size_t part, lm::Predictor& predictor, const Room& room,
               std::vector<lm::LaneInput>& batch) override;
  void advance(std::size_t part) override;
  bool close(std::size_t part, lm::Predictor& predictor) override;
  void close_all(std::size_t part, lm::Predictor& predictor) override;
  void add_model_seconds(std::size_t part, double seconds) override;
  double model_seconds() const override;

 private:
  // The model's side of a lane: what goes in and what is asked of each answer.
  struct Feed {
    int number = -1;                  // of the lane, the predictor's
    std::vector<Token> inputs;        // the start token, then every token but the last
    std::vector<std::uint32_t> rows;  // the token that comes after each input
    std::size_t asked = 0;            // inputs of the batch
    std::atomic<std::size_t> done = 0;
  };
  struct Part {
    std::size_t begin = 0, end = 0;  // lanes
    std::size_t tokens = 0;          // in all
    std::atomic<std::size_t> done = 0;
    double model_seconds = 0;
  };

  std::span<Feed> feeds_of(const Part& part);
  bool is_ahead(const Part& part) const;
  void work_meanwhile();

  ModelledFrame& frame_;
  const Meanwhile meanwhile_;
  std::vector<Feed> feeds_;
  std::vector<Part> parts_;
  std::size_t all_tokens_ = 0;
  std::mutex meanwhile_mutex_;
};

}  // namespace smll::codec
