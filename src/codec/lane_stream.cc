#include "codec/lane_stream.h"

#include <algorithm>
#include <utility>

namespace smll::codec {

void LaneStream::divide(std::size_t lanes, std::size_t parts) {
  numbers_.assign(lanes, kClosed);
  for (std::size_t i = 0; i < parts; ++i) {
    parts_.push_back({lanes * i / parts, lanes * (i + 1) / parts});
  }
}

std::optional<Token> LaneStream::open_lane(std::size_t lane, const Opening* opening,
                                           lm::Predictor& predictor) {
  if (!opening) {
    numbers_[lane] = predictor.open_lane();
    return predictor.start_token();
  }
  if (opening->has_first()) {
    numbers_[lane] = predictor.open_lane(opening->whole_context());
    return std::nullopt;
  }
  numbers_[lane] = predictor.open_lane(opening->context());
  return opening->last_token();
}

void LaneStream::close_lane(std::size_t lane, lm::Predictor& predictor) {
  if (is_open(lane)) predictor.close_lane(std::exchange(numbers_[lane], kClosed));
}

bool LaneStream::close(std::size_t part, lm::Predictor& predictor) {
  bool finished = true;
  for (const std::size_t lane : lanes_of(part)) {
    if (is_done(lane)) {
      close_lane(lane, predictor);
    } else {
      finished = false;
    }
  }
  return finished;
}

// Also where share_lanes() failed.
void LaneStream::close_all(std::size_t part, lm::Predictor& predictor) {
  if (part >= parts_.size()) return;
  for (const std::size_t lane : lanes_of(part)) {
    close_lane(lane, predictor);
  }
}

void LaneStream::add_model_seconds(std::size_t part, double seconds) {
  parts_[part].model_seconds += seconds;
}

double LaneStream::model_seconds() const {
  double most = 0;
  for (const Part& part : parts_) most = std::max(most, part.model_seconds);
  return most;
}

}  // namespace smll::codec
