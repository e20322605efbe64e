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

Token LaneStream::open_lane(std::size_t lane, const Opening* opening, lm::Predictor& predictor) {
  open_lane(lane, opening ? opening->context() : nullptr, predictor);
  return opening ? opening->last_token() : predictor.start_token();
}

void LaneStream::open_lane(std::size_t lane, std::shared_ptr<const lm::KeptContext> begin,
                           lm::Predictor& predictor) {
  numbers_[lane] = predictor.open_lane(std::move(begin));
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
