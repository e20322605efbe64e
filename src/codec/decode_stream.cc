#include "codec/decode_stream.h"

#include <algorithm>
#include <utility>

#include "codec/lane_header.h"
#include "codec/size_code.h"
#include "lm/token_walk.h"
#include "smll/error.h"

namespace smll::codec {

DecodeStream::DecodeStream(std::span<const std::uint8_t> payload, std::size_t raw_size,
                           const text::Vocabulary& vocabulary, const Form& form)
    : vocabulary_(vocabulary), experts_(form.experts), raw_size_(raw_size), coder_(payload) {
  if (form.compact) {
    raw_size_ = take_size(coder_, raw_size);
    extents_ = {{0, raw_size_}};
    escapes_ = coder_.code(kEscapesLikely) != 0;
  } else {
    LaneHeader header = take_lanes(payload, raw_size);
    extents_ = std::move(header.extents);
    escapes_ = header.escapes;
    coder_ = coder::Decoder(payload);
  }
  if (extents_.size() > static_cast<std::size_t>(form.max_lanes)) {
    throw Error(ErrorKind::kData, "the archive is damaged: it has more lanes than its backend");
  }
}

void DecodeStream::end(const Progress& /*progress*/) {
  if (!coder_.used_all()) {
    throw Error(ErrorKind::kData, "the archive is damaged: bytes are left behind a frame's code");
  }
  const std::span<const std::uint8_t> bytes = mixer_->bytes();
  data_.assign(bytes.begin(), bytes.end());
  units_.reset();
  mixer_.reset();
  lanes_ = {};
}

std::uint64_t DecodeStream::memory(std::span<const std::size_t> lanes,
                                   std::size_t vocabulary_rows) {
  const std::uint64_t each = lm::Distribution::memory(vocabulary_rows);
  if (lanes.size() > 1) return lanes.size() * each;
  return (1 + Drafter::kMostGuesses) * each + Drafter::memory(lanes[0]);
}

std::size_t DecodeStream::max_parts() const { return lanes() < kSplitLanes ? 1 : 2; }

void DecodeStream::share_lanes(std::size_t parts) {
  mixer_.emplace(experts_, mix::Strength::kStrong, raw_size_, extents_);
  units_.emplace(coder_, *mixer_, escapes_);
  lanes_ = std::vector<Lane>(extents_.size());
  for (std::size_t i = 0; i < lanes_.size(); ++i) lanes_[i].room = extents_[i].size;
  if (lanes_.size() == 1) drafter_.emplace();
  for (std::size_t i = 0; i < parts; ++i) {
    parts_.push_back({lanes_.size() * i / parts, lanes_.size() * (i + 1) / parts});
  }
}

std::span<DecodeStream::Lane> DecodeStream::lanes_of(std::size_t part) {
  return std::span(lanes_).subspan(parts_[part].begin, parts_[part].end - parts_[part].begin);
}

void DecodeStream::open(std::size_t part, lm::Predictor& predictor) {
  for (Lane& lane : lanes_of(part)) {
    if (lane.room == 0) continue;
    lane.number = predictor.open_lane();
    lane.input = predictor.start_token();
  }
}

void DecodeStream::collect(std::size_t part, lm::Predictor& predictor, const Room& room,
                           std::vector<lm::LaneInput>& batch) {
  for (Lane& lane : lanes_of(part)) {
    if (lane.room == 0 || !std::exchange(lane.waiting, false)) continue;
    if (const std::size_t wrong = lane.fed.empty() ? 0 : lane.fed.size() - 1 - lane.at) {
      predictor.take_back(lane.number, wrong);
    }
    lane.fed.assign(1, lane.input);
    lane.at = 0;
    if (drafter_) guess(lane, predictor, room);
    if (lane.next.size() < lane.fed.size()) lane.next.resize(lane.fed.size());
    batch.push_back({lane.number, lane.fed, {}, {}, std::span(lane.next).first(lane.fed.size())});
  }
}

void DecodeStream::guess(Lane& lane, const lm::Predictor& predictor, const Room& room) {
  const Drafter::Costs costs = costs_of_rows(room.company, std::max(room.company, room.used + 1));
  // Each token is a byte at least.
  const std::size_t most =
      std::min({costs.size(), predictor.max_guesses(lane.number), lane.room - 1});
  const std::span<const Token> guesses = drafter_->guess(std::span(costs).first(most));
  lane.fed.insert(lane.fed.end(), guesses.begin(), guesses.end());
  guesses_ += guesses.size();
}

void DecodeStream::advance(std::size_t part) {
  if (!wait_for_turn(part)) return;
  do {
    decode_round(parts_[part]);
    if (coder_.overrun()) {
      throw Error(ErrorKind::kData, "the archive is damaged: a frame's code ends too early");
    }
  } while (drafter_ && is_ready(part));
  pass_turn(part);
}

// A unit of each lane.
void DecodeStream::decode_round(const Part& part) {
  for (std::size_t i = part.begin; i < part.end; ++i) {
    if (lanes_[i].room > 0) decode_unit(i);
  }
}

bool DecodeStream::is_ready(std::size_t part) {
  return std::ranges::any_of(lanes_of(part),
                             [](const Lane& lane) { return lane.room > 0 && !lane.waiting; });
}

void DecodeStream::decode_unit(std::size_t index) {
  Lane& lane = lanes_[index];
  const int number = static_cast<int>(index);
  if (units_->code_escape(false)) {
    units_->code_escaped_byte(number, 0);
    return spend(lane, 1);
  }
  lm::LiveWalk walk(vocabulary_, lane.next[lane.at]);
  const std::uint32_t row = units_->code_token(number, walk, lane.room);
  lane.input = vocabulary_.token(row);
  const bool guessed = lane.at + 1 < lane.fed.size() && lane.fed[lane.at + 1] == lane.input;
  if (guessed) {
    ++lane.at;
    ++guesses_right_;
  }
  lane.waiting = !guessed;
  if (drafter_) drafter_->see(lane.input);
  ++tokens_;
  spend(lane, vocabulary_.bytes(row).size());
}

void DecodeStream::spend(Lane& lane, std::size_t bytes) {
  lane.room -= bytes;
  bytes_ += bytes;
}

bool DecodeStream::close(std::size_t part, lm::Predictor& predictor) {
  bool finished = true;
  for (Lane& lane : lanes_of(part)) {
    if (lane.room > 0) {
      finished = false;
    } else if (lane.number >= 0) {
      predictor.close_lane(std::exchange(lane.number, -1));
    }
  }
  return finished;
}

void DecodeStream::close_all(std::size_t part, lm::Predictor& predictor) {
  if (part >= parts_.size()) return;
  for (Lane& lane : lanes_of(part)) {
    if (lane.number >= 0) predictor.close_lane(std::exchange(lane.number, -1));
  }
}

// False when another part has failed.
bool DecodeStream::wait_for_turn(std::size_t part) {
  std::unique_lock lock(mutex_);
  turn_passed_.wait(lock, [&] { return turn_ == part || stopped_; });
  return !stopped_;
}

// To the next part that has lanes left; a part knows that it has none in its own turn.
void DecodeStream::pass_turn(std::size_t part) {
  const bool finished =
      std::ranges::all_of(lanes_of(part), [](const Lane& lane) { return lane.room == 0; });
  const std::lock_guard lock(mutex_);
  parts_[part].finished = finished;
  do {
    turn_ = (turn_ + 1) % parts_.size();
  } while (parts_[turn_].finished && turn_ != part);
  turn_passed_.notify_all();
}

void DecodeStream::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  turn_passed_.notify_all();
}

void DecodeStream::add_model_seconds(std::size_t part, double seconds) {
  parts_[part].model_seconds += seconds;
}

double DecodeStream::model_seconds() const {
  return parts_.empty() ? 0 : std::ranges::max(parts_, {}, &Part::model_seconds).model_seconds;
}

}  // namespace smll::codec
