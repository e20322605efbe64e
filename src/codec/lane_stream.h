// A stream whose lanes are run in parts: it knows the lanes of each part, and opens and closes the
// predictor's for them.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "codec/opening.h"
#include "codec/stream.h"
#include "lm/predictor.h"

namespace smll::codec {

// Consecutive lanes' numbers, for a loop.
class LaneNumbers {
 public:
  struct Iterator {
    std::size_t number;
    std::size_t operator*() const { return number; }
    Iterator& operator++() {
      ++number;
      return *this;
    }
    bool operator==(const Iterator&) const = default;
  };

  LaneNumbers(std::size_t first, std::size_t end) : first_(first), end_(end) {}
  Iterator begin() const { return {first_}; }
  Iterator end() const { return {end_}; }

 private:
  std::size_t first_, end_;
};

class LaneStream : public Stream {
 public:
  bool close(std::size_t part, lm::Predictor& predictor) final;
  void close_all(std::size_t part, lm::Predictor& predictor) final;
  void add_model_seconds(std::size_t part, double seconds) final;
  double model_seconds() const final;

 protected:
  // Whether the model has nothing more to do for a lane.
  virtual bool is_done(std::size_t lane) const = 0;

  // share_lanes() is to call it first, once.
  void divide(std::size_t lanes, std::size_t parts);
  std::size_t parts() const { return parts_.size(); }
  LaneNumbers lanes_of(std::size_t part) const { return {parts_[part].begin, parts_[part].end}; }

  // Returns what the lane is to be fed first. `opening`: what it begins with; null: nothing. Where
  // that has_first(), first() is the lane's first answer, and nothing is returned.
  std::optional<Token> open_lane(std::size_t lane, const Opening* opening,
                                 lm::Predictor& predictor);
  bool is_open(std::size_t lane) const { return numbers_[lane] != kClosed; }
  // The predictor's, of one that is open.
  int number(std::size_t lane) const { return numbers_[lane]; }

 private:
  static constexpr int kClosed = -1;
  struct Part {
    std::size_t begin = 0, end = 0;  // lanes
    double model_seconds = 0;
  };

  void close_lane(std::size_t lane, lm::Predictor& predictor);

  std::vector<int> numbers_;  // by lane
  std::vector<Part> parts_;
};

}  // namespace smll::codec
