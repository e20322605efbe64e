// A text, or a frame, on its way through the model: lanes that want tokens fed, and what becomes of
// the answers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/progress.h"
#include "lm/predictor.h"

namespace smll::codec {

// What a stream says does not depend on the others that a predictor runs beside it, nor on how many
// parts its lanes are run in.
//
// Calls come in this order: begin(), share_lanes(), then for each part, by one thread at a time,
// open() and rounds of collect(), advance() and close(); at last end(). Parts may run at the same
// time. What throws ends the stream: stop(), and close_all() for each part. None of them waits for
// another stream.
class Stream {
 public:
  virtual ~Stream() = default;

  // Lanes that it wants, at most; known before begin(). May get less while it runs.
  virtual std::size_t lanes() const = 0;
  // Tokens that it could feed at once, as far as that matters to others.
  virtual std::size_t rows() const { return lanes(); }
  // Whether begin() is much work, which more threads should share.
  virtual bool works_before() const { return false; }
  // Bytes that its lanes take of a predictor, nearly.
  virtual std::uint64_t memory() const { return 0; }
  // In how many parts, consecutive lanes each, it may run at most.
  virtual std::size_t max_parts() const { return 1; }

  // Work without the model before and after it. Where begin() says false no model is needed any
  // more, and nothing but end() follows. `progress` is called now and then and may throw.
  virtual bool begin(const Progress& /*progress*/) { return true; }
  virtual void end(const Progress& /*progress*/) {}

  virtual void share_lanes(std::size_t parts) = 0;
  virtual void open(std::size_t part, lm::Predictor& predictor) = 0;
  // What a part may feed at once: near `rows` tokens, of which more than one a lane cost little or
  // much as the predictor runs `company` lanes in all.
  struct Room {
    std::size_t rows;
    std::size_t company;
    std::size_t used;  // tokens of others, so far
  };
  // Appends what the part's lanes want fed; nothing where they wait for other parts.
  virtual void collect(std::size_t part, lm::Predictor& predictor, const Room& room,
                       std::vector<lm::LaneInput>& batch) = 0;
  // All of it was fed. May wait for other parts.
  virtual void advance(std::size_t part) = 0;
  // Closes lanes that are done; true when none is left.
  virtual bool close(std::size_t part, lm::Predictor& predictor) = 0;
  virtual void close_all(std::size_t part, lm::Predictor& predictor) = 0;
  // A part has failed, or the stream was cancelled: no part waits for another any more. Any thread
  // may call it at any time.
  virtual void stop() {}

  // So far, for progress; any thread may ask.
  std::size_t bytes() const { return bytes_; }
  std::uint64_t tokens() const { return tokens_; }
  // Tokens that were fed before they were known, and those of them that proved right.
  std::uint64_t guesses() const { return guesses_; }
  std::uint64_t guesses_right() const { return guesses_right_; }
  // Its share, by tokens, of the time in the predictor, of the part that took most; to be asked at
  // the end.
  virtual double model_seconds() const { return 0; }
  virtual void add_model_seconds(std::size_t /*part*/, double /*seconds*/) {}

 protected:
  std::atomic<std::size_t> bytes_ = 0;
  std::atomic<std::uint64_t> tokens_ = 0;
  std::atomic<std::uint64_t> guesses_ = 0, guesses_right_ = 0;
};

}  // namespace smll::codec
