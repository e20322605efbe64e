#include "codec/decode_stream.h"

#include <algorithm>
#include <utility>

#include "codec/lane_header.h"
#include "codec/model_coder.h"
#include "codec/size_code.h"
#include "format/limits.h"
#include "lm/token_walk.h"
#include "smll/error.h"

namespace smll::codec {

DecodeStream::DecodeStream(std::span<const std::uint8_t> payload, std::size_t raw_size,
                           const text::Vocabulary& vocabulary, const Form& form)
    : vocabulary_(vocabulary),
      experts_(form.experts),
      opening_(form.opening),
      raw_size_(raw_size),
      coder_(payload),
      on_gpu_(form.on_gpu) {
  LaneHeader header = take_lanes(payload, raw_size);
  extents_ = std::move(header.extents);
  escapes_ = header.escapes;
  code_ = payload;
  coder_ = coder::Decoder(code_);
  if (extents_.size() > static_cast<std::size_t>(form.max_lanes)) {
    throw Error(ErrorKind::kData, "the archive is damaged: it has more lanes than its backend");
  }
}

DecodeStream::DecodeStream(std::span<const std::uint8_t> payload, std::size_t limit,
                           const text::Vocabulary& vocabulary, const ShortForm& form)
    : vocabulary_(vocabulary), raw_size_(0), coder_(payload) {
  const ShortHead head = code_short_head(coder_, {}, form.odds);
  // A line has one byte more than half of the most, its break counted in.
  format::check_size(head.line ? head.size / 2 : head.size, limit);
  experts_ = head.mixed ? mix::Sources::kAll : mix::Sources::kLlm;
  opening_ = form.opening(head);
  line_ = head.line;
  limit_ = limit;
  escapes_ = head.escapes;
  raw_size_ = head.size;
  extents_ = {{0, raw_size_}};
}

void DecodeStream::end(const Progress& /*progress*/) {
  if (!coder_.is_as_written()) {
    throw Error(ErrorKind::kData, "the data is damaged: bytes do not fit what they mean");
  }
  data_.resize(bytes_ - (line_ ? 1 : 0));
  std::ranges::copy(mixer_->bytes().first(data_.size()), data_.begin());
  units_.reset();
  mixer_.reset();
  states_ = {};
}

std::uint64_t DecodeStream::memory(std::span<const std::size_t> lanes,
                                   std::size_t vocabulary_rows) {
  const std::uint64_t each = lm::Distribution::memory(vocabulary_rows);
  if (lanes.size() > 1) return lanes.size() * each;
  return (1 + Drafter::kMostGuesses) * each + Drafter::memory(lanes[0]);
}

std::size_t DecodeStream::max_parts() const {
  return lanes() < kSplitLanes || predictor_may_decode() ? 1 : 2;
}

// Bytes that no token spells are not the model's to decide. A lane alone is faster with guesses.
bool DecodeStream::predictor_may_decode() const {
  return on_gpu_ && experts_ == mix::Sources::kLlm && !escapes_ && lanes() > 1;
}

void DecodeStream::share_lanes(std::size_t parts) {
  mixer_ = std::make_unique<mix::FrameMixer>(make_mixer(opening_, experts_, raw_size_, extents_));
  units_.emplace(coder_, *mixer_, escapes_);
  states_ = std::vector<LaneState>(extents_.size());
  for (std::size_t i = 0; i < states_.size(); ++i) states_[i].room = extents_[i].size;
  if (states_.size() == 1) {
    drafter_.emplace();
    if (opening_) {
      for (const Token token : opening_->tokens()) drafter_->see(token);
    }
  }
  finished_.resize(parts);
  divide(states_.size(), parts);
}

void DecodeStream::open(std::size_t part, lm::Predictor& predictor) {
  for (const std::size_t lane : lanes_of(part)) {
    LaneState& state = states_[lane];
    if (is_done(lane)) continue;
    if (const std::optional<Token> first = open_lane(lane, opening_, predictor)) {
      state.input = *first;
      continue;
    }
    state.fed.assign(1, opening_->last_token());
    state.next.assign(1, opening_->first());
    state.waiting = false;
  }
}

void DecodeStream::collect(std::size_t part, lm::Predictor& predictor, const Room& room,
                           std::vector<lm::LaneInput>& batch) {
  for (const std::size_t lane : lanes_of(part)) {
    LaneState& state = states_[lane];
    if (is_done(lane) || !std::exchange(state.waiting, false)) continue;
    if (const std::size_t wrong = state.fed.empty() ? 0 : state.fed.size() - 1 - state.at) {
      predictor.take_back(number(lane), wrong);
    }
    state.fed.assign(1, state.input);
    state.at = 0;
    begin_token_code(predictor);
    if (token_code_) {
      batch.push_back({number(lane),
                       state.fed,
                       {},
                       {},
                       {},
                       false,
                       {token_code_.get(), state.room, &state.row}});
      continue;
    }
    if (drafter_) guess(lane, predictor, room);
    if (state.next.size() < state.fed.size()) state.next.resize(state.fed.size());
    batch.push_back(
        {number(lane), state.fed, {}, {}, std::span(state.next).first(state.fed.size()), true});
  }
}

// Behind what is known without the predictor.
void DecodeStream::begin_token_code(lm::Predictor& predictor) {
  if (!token_code_ && predictor_may_decode())
    token_code_ = predictor.begin_code(code_, coder_.state());
}

void DecodeStream::guess(std::size_t lane, const lm::Predictor& predictor, const Room& room) {
  LaneState& state = states_[lane];
  const Drafter::Costs costs = costs_of_rows(room.company, std::max(room.company, room.used + 1));
  // Each token is a byte at least.
  const std::size_t most =
      std::min({costs.size(), predictor.max_guesses(number(lane)), state.room - 1});
  const std::span<const Token> guesses = drafter_->guess(std::span(costs).first(most));
  state.fed.insert(state.fed.end(), guesses.begin(), guesses.end());
  guesses_ += guesses.size();
}

void DecodeStream::advance(std::size_t part) {
  if (!wait_for_turn(part)) return;
  if (token_code_) coder_ = coder::Decoder(code_, token_code_->state());
  do {
    decode_round(part);
    if (coder_.overrun()) {
      throw Error(ErrorKind::kData, "the archive is damaged: a frame's code ends too early");
    }
  } while (drafter_ && is_ready(part));
  pass_turn(part);
}

// A unit of each lane.
void DecodeStream::decode_round(std::size_t part) {
  for (const std::size_t lane : lanes_of(part)) {
    if (!is_done(lane)) decode_unit(lane);
  }
}

bool DecodeStream::is_ready(std::size_t part) const {
  for (const std::size_t lane : lanes_of(part)) {
    if (!is_done(lane) && !states_[lane].waiting) return true;
  }
  return false;
}

void DecodeStream::decode_unit(std::size_t lane) {
  LaneState& state = states_[lane];
  const int index = static_cast<int>(lane);
  if (units_->code_escape(false)) {
    const std::uint8_t byte = units_->code_escaped_byte(index, 0);
    spend(state, 1);
    return end_line({reinterpret_cast<const char*>(&byte), 1});
  }
  std::uint32_t row = 0;
  if (token_code_) {
    row = take_row(lane);
  } else {
    lm::LiveWalk walk(vocabulary_, state.next[state.at]);
    row = units_->code_token(index, walk, state.room);
  }
  state.input = vocabulary_.token(row);
  const bool guessed = state.at + 1 < state.fed.size() && state.fed[state.at + 1] == state.input;
  if (guessed) {
    ++state.at;
    ++guesses_right_;
  }
  state.waiting = !guessed;
  if (drafter_) drafter_->see(state.input);
  ++tokens_;
  spend(state, vocabulary_.bytes(row).size());
  end_line(vocabulary_.bytes(row));
}

// What the predictor has decoded of a lane.
std::uint32_t DecodeStream::take_row(std::size_t lane) {
  const LaneState& state = states_[lane];
  if (state.row >= vocabulary_.rows() || vocabulary_.bytes(state.row).size() > state.room) {
    throw passes_the_end();
  }
  const std::string_view bytes = vocabulary_.bytes(state.row);
  mixer_->read(static_cast<int>(lane),
               {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  return state.row;
}

// Behind the last bytes of a text that a line break may end.
void DecodeStream::end_line(std::string_view bytes) {
  if (!line_) return;
  LaneState& state = states_[0];
  const std::size_t at = bytes.find('\n');
  const bool ended = at != std::string_view::npos;
  if (ended ? at + 1 < bytes.size() : state.room == 0) {
    throw Error(ErrorKind::kData, "the data is damaged: its line ends in the wrong place");
  }
  if (ended) state.room = 0;
  format::check_size(bytes_ - (ended ? 1 : 0), limit_);
}

void DecodeStream::spend(LaneState& state, std::size_t bytes) {
  state.room -= bytes;
  bytes_ += bytes;
}

// False when another part has failed.
bool DecodeStream::wait_for_turn(std::size_t part) {
  std::unique_lock lock(mutex_);
  turn_passed_.wait(lock, [&] { return turn_ == part || stopped_; });
  return !stopped_;
}

// To the next part that has lanes left; a part knows that it has none in its own turn.
void DecodeStream::pass_turn(std::size_t part) {
  bool finished = true;
  for (const std::size_t lane : lanes_of(part)) finished = finished && is_done(lane);
  const std::lock_guard lock(mutex_);
  finished_[part] = finished;
  do {
    turn_ = (turn_ + 1) % parts();
  } while (finished_[turn_] && turn_ != part);
  turn_passed_.notify_all();
}

void DecodeStream::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  turn_passed_.notify_all();
}

}  // namespace smll::codec
