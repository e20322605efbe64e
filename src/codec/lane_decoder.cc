#include "codec/lane_decoder.h"

#include <algorithm>
#include <chrono>

#include "codec/token_walk.h"
#include "exact/start_threads.h"
#include "smll/error.h"

namespace smll::codec {

LaneDecoder::LaneDecoder(coder::Decoder& coder, std::span<const mix::LaneExtent> extents,
                         bool escapes, mix::FrameMixer& mixer, const text::Vocabulary& vocabulary,
                         std::span<Predictor* const> predictors, exact::Isa isa)
    : coder_(coder),
      units_(coder, mixer, escapes),
      vocabulary_(vocabulary),
      predictors_(predictors),
      isa_(isa),
      lanes_(extents.size()) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) lanes_[i].room = extents[i].size;
}

void LaneDecoder::share_lanes(std::size_t groups) {
  for (std::size_t i = 0; i < groups; ++i) {
    groups_.push_back(
        {predictors_[i], lanes_.size() * i / groups, lanes_.size() * (i + 1) / groups, {}});
  }
}

void LaneDecoder::run(FrameStats* stats, const Progress& progress) {
  if (lanes_.empty() || lanes_[0].room == 0) return;
  const Progress nothing;
  exact::run_together(
      predictors_.size(), [&](std::size_t count) { share_lanes(count); },
      [&](std::size_t index) { run_group(index, index == 0 ? progress : nothing); });
  if (error_) std::rethrow_exception(error_);
  if (!stats) return;
  stats->tokens += tokens_;
  stats->model_seconds += std::ranges::max(groups_, {}, &Group::model_seconds).model_seconds;
}

void LaneDecoder::run_group(std::size_t index, const Progress& progress) {
  try {
    Group& group = groups_[index];
    group.predictor->reset(static_cast<int>(group.end - group.begin));
    for (std::size_t i = group.begin; i < group.end; ++i) {
      lanes_[i].input = group.predictor->start_token();
    }
    while (feed(group) && wait_for_turn(index)) {
      decode_round(group);
      if (coder_.overrun()) {
        throw Error(ErrorKind::kData, "the archive is damaged: a frame's code ends too early");
      }
      if (progress) progress(bytes_, tokens_);
      pass_turn(index);
    }
    if (progress) wait_for_others(progress);
  } catch (...) {
    stop(std::current_exception());
  }
}

// Feeds what the group's lanes decoded; false when none of them is left.
bool LaneDecoder::feed(Group& group) {
  group.batch.clear();
  bool active = false;
  for (std::size_t i = group.begin; i < group.end; ++i) {
    Lane& lane = lanes_[i];
    active |= lane.room > 0;
    if (lane.room > 0 && lane.waiting) {
      group.batch.push_back({static_cast<int>(i - group.begin), std::span(&lane.input, 1)});
      lane.waiting = false;
    }
  }
  if (group.batch.empty()) return active;
  const auto start = std::chrono::steady_clock::now();
  group.predictor->feed(group.batch,
                        [&](std::size_t input, std::size_t, std::span<const float> logits) {
                          const auto lane = static_cast<std::size_t>(group.batch[input].lane);
                          lanes_[group.begin + lane].distribution.assign(logits, isa_);
                        });
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  group.model_seconds += time.count();
  return true;
}

void LaneDecoder::decode_round(const Group& group) {
  for (std::size_t i = group.begin; i < group.end; ++i) {
    if (lanes_[i].room > 0) decode_unit(i, group);
  }
}

void LaneDecoder::decode_unit(std::size_t index, const Group& group) {
  Lane& lane = lanes_[index];
  const int number = static_cast<int>(index);
  if (units_.code_escape(false)) {
    units_.code_escaped_byte(number, 0);
    advance(lane, 1);
  } else {
    LiveWalk walk(vocabulary_, lane.distribution);
    const std::uint32_t row = units_.code_token(number, walk, lane.room);
    lane.input = vocabulary_.token(row);
    lane.waiting = true;
    ++tokens_;
    advance(lane, vocabulary_.bytes(row).size());
  }
  if (lane.room == 0) group.predictor->finish_lane(static_cast<int>(index - group.begin));
}

void LaneDecoder::advance(Lane& lane, std::size_t bytes) {
  lane.room -= bytes;
  bytes_ += bytes;
}

// False when some group has failed.
bool LaneDecoder::wait_for_turn(std::size_t index) {
  std::unique_lock lock(mutex_);
  turn_passed_.wait(lock, [&] { return turn_ == index || error_; });
  return !error_;
}

// To the next group that has lanes left; a group knows that it has none in its own turn.
void LaneDecoder::pass_turn(std::size_t index) {
  Group& group = groups_[index];
  const bool finished = std::all_of(lanes_.begin() + static_cast<std::ptrdiff_t>(group.begin),
                                    lanes_.begin() + static_cast<std::ptrdiff_t>(group.end),
                                    [](const Lane& lane) { return lane.room == 0; });
  const std::lock_guard lock(mutex_);
  group.finished = finished;
  done_ = {bytes_, tokens_};
  do {
    turn_ = (turn_ + 1) % groups_.size();
  } while (groups_[turn_].finished && turn_ != index);
  turn_passed_.notify_all();
}

// The caller's thread may have the shorter lanes.
void LaneDecoder::wait_for_others(const Progress& progress) {
  std::unique_lock lock(mutex_);
  while (!error_ && !std::ranges::all_of(groups_, &Group::finished)) {
    turn_passed_.wait_for(lock, kTick);
    const Done done = done_;
    lock.unlock();
    progress(done.bytes, done.tokens);
    lock.lock();
  }
}

void LaneDecoder::stop(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
  turn_passed_.notify_all();
}

}  // namespace smll::codec
