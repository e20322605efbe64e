#include "codec/lane_recorder.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "codec/distribution.h"
#include "exact/start_threads.h"

namespace smll::codec {

LaneRecorder::LaneRecorder(std::span<const Lane> lanes, std::span<std::vector<RecordedPath>> paths,
                           const text::Vocabulary& vocabulary,
                           std::span<Predictor* const> predictors, exact::Isa isa)
    : vocabulary_(vocabulary),
      predictors_(predictors),
      isa_(isa),
      paths_(paths),
      feeds_(lanes.size()) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    Token previous = predictors.front()->start_token();
    for (const text::Unit& unit : lanes[i].units) {
      if (unit.escaped()) continue;
      feeds_[i].inputs.push_back(previous);
      feeds_[i].rows.push_back(unit.row);
      previous = vocabulary.token(unit.row);
    }
    paths_[i].resize(feeds_[i].inputs.size());
    tokens_ += feeds_[i].inputs.size();
  }
}

void LaneRecorder::share_lanes(std::size_t groups) {
  groups_ = std::vector<Group>(groups);
  for (std::size_t g = 0; g < groups; ++g) {
    Group& group = groups_[g];
    group.predictor = predictors_[g];
    group.begin = feeds_.size() * g / groups;
    group.end = feeds_.size() * (g + 1) / groups;
    for (std::size_t i = group.begin; i < group.end; ++i) group.tokens += feeds_[i].inputs.size();
  }
}

void LaneRecorder::run(std::size_t frame_bytes, FrameStats* stats, const Progress& progress,
                       const Meanwhile& meanwhile) {
  const std::function<void()> show = [&] {
    const std::size_t done = done_;
    if (progress) progress(frame_bytes * done / tokens_, done);
  };
  const std::function<void()> nothing = [] {};
  exact::run_together(
      predictors_.size(), [&](std::size_t count) { share_lanes(count); },
      [&](std::size_t g) {
        run_group(
            groups_[g], g == 0 ? std::function<void()>(show) : [] {}, meanwhile);
      });
  if (error_) std::rethrow_exception(error_);
  if (!stats) return;
  stats->tokens += tokens_;
  stats->model_seconds +=
      std::ranges::max_element(groups_, {}, &Group::model_seconds)->model_seconds;
}

void LaneRecorder::run_group(Group& group, const std::function<void()>& progress,
                             const Meanwhile& meanwhile) {
  try {
    group.predictor->reset(static_cast<int>(group.end - group.begin));
    while (!stopped_) {
      const std::vector<LaneTokens> batch = next_batch(group);
      if (batch.empty()) break;
      feed(group, batch);
      progress();
      if (meanwhile && is_ahead(group)) work_meanwhile(meanwhile);
    }
    // Done with its own, it sees to what the others record.
    while (meanwhile && !stopped_) {
      const std::uint32_t seen = events_;
      if (done_ == tokens_) break;
      work_meanwhile(meanwhile);
      events_.wait(seen);
      progress();
    }
  } catch (...) {
    stop(std::current_exception());
  }
}

// The next inputs of all lanes, near the predictor's preferred number in total; lanes advance
// together and long ones are not left over.
std::vector<LaneTokens> LaneRecorder::next_batch(const Group& group) const {
  std::size_t active = 0;
  for (std::size_t i = group.begin; i < group.end; ++i) {
    active += feeds_[i].done < feeds_[i].inputs.size();
  }
  if (active == 0) return {};
  const std::size_t share = std::max<std::size_t>(1, group.predictor->preferred_batch() / active);
  std::vector<LaneTokens> batch;
  for (std::size_t i = group.begin; i < group.end; ++i) {
    const auto rest = std::span(feeds_[i].inputs).subspan(feeds_[i].done);
    if (!rest.empty()) {
      batch.push_back(
          {static_cast<int>(i - group.begin), rest.first(std::min(share, rest.size()))});
    }
  }
  return batch;
}

void LaneRecorder::feed(Group& group, std::span<const LaneTokens> batch) {
  const auto start = std::chrono::steady_clock::now();
  group.predictor->feed(
      batch, [&](std::size_t input, std::size_t position, std::span<const float> logits) {
        thread_local Distribution distribution;
        distribution.assign(logits, isa_);
        const std::size_t lane = group.begin + static_cast<std::size_t>(batch[input].lane);
        const std::size_t at = feeds_[lane].done + position;
        paths_[lane][at].record(vocabulary_, distribution, feeds_[lane].rows[at]);
      });
  for (const LaneTokens& fed : batch) {
    Feed& feed = feeds_[group.begin + static_cast<std::size_t>(fed.lane)];
    feed.done += fed.tokens.size();
    group.done += fed.tokens.size();
    done_ += fed.tokens.size();
    if (feed.done == feed.inputs.size()) group.predictor->finish_lane(fed.lane);
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  group.model_seconds += time.count();
  announce();
}

// Whether no group has a larger share of its tokens behind it.
bool LaneRecorder::is_ahead(const Group& group) const {
  return std::all_of(groups_.begin(), groups_.end(), [&](const Group& other) {
    return other.done * group.tokens <= group.done * other.tokens;
  });
}

void LaneRecorder::work_meanwhile(const Meanwhile& meanwhile) {
  const std::unique_lock lock(meanwhile_mutex_, std::try_to_lock);
  if (!lock) return;
  std::vector<std::size_t> recorded;
  for (const Feed& feed : feeds_) recorded.push_back(feed.done);
  meanwhile(recorded);
}

void LaneRecorder::stop(std::exception_ptr error) {
  const std::lock_guard lock(error_mutex_);
  if (!error_) error_ = std::move(error);
  stopped_ = true;
  announce();
}

// Wakes those who wait for others' progress.
void LaneRecorder::announce() {
  ++events_;
  events_.notify_all();
}

}  // namespace smll::codec
