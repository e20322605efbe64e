#include "codec/record_stream.h"

#include <algorithm>
#include <utility>

namespace smll::codec {
namespace {

// A long text leaves room for others.
constexpr std::size_t kMostRows = 64;

}  // namespace

RecordStream::RecordStream(ModelledFrame& frame, const text::Vocabulary& vocabulary,
                           Meanwhile meanwhile)
    : frame_(frame), meanwhile_(std::move(meanwhile)), feeds_(frame.lanes.size()) {
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    Feed& feed = feeds_[i];
    for (const text::Unit& unit : frame.lanes[i].units) {
      if (unit.escaped()) continue;
      // The first input is the start token, which only the predictor knows.
      feed.inputs.push_back(feed.rows.empty() ? 0 : vocabulary.token(feed.rows.back()));
      feed.rows.push_back(unit.row);
    }
    frame.paths[i].resize(feed.rows.size());
    all_tokens_ += feed.rows.size();
  }
}

std::size_t RecordStream::rows() const {
  return std::min<std::size_t>(kMostRows, all_tokens_ - tokens_);
}

void RecordStream::share_lanes(std::size_t parts) {
  parts_ = std::vector<Part>(parts);
  for (std::size_t i = 0; i < parts; ++i) {
    parts_[i].begin = feeds_.size() * i / parts;
    parts_[i].end = feeds_.size() * (i + 1) / parts;
    for (const Feed& feed : feeds_of(parts_[i])) parts_[i].tokens += feed.rows.size();
  }
}

std::span<RecordStream::Feed> RecordStream::feeds_of(const Part& part) {
  return std::span(feeds_).subspan(part.begin, part.end - part.begin);
}

void RecordStream::open(std::size_t part, lm::Predictor& predictor) {
  for (Feed& feed : feeds_of(parts_[part])) {
    if (feed.inputs.empty()) continue;
    feed.inputs[0] = predictor.start_token();
    feed.number = predictor.open_lane();
  }
}

// Lanes advance together, so that long ones are not left over.
void RecordStream::collect(std::size_t part, lm::Predictor& /*predictor*/, const Room& room,
                           std::vector<lm::LaneInput>& batch) {
  const std::span<Feed> feeds = feeds_of(parts_[part]);
  const auto open = std::ranges::count_if(feeds, [](const Feed& feed) { return feed.number >= 0; });
  if (open == 0) return;
  const std::size_t share = std::max<std::size_t>(1, room.rows / static_cast<std::size_t>(open));
  for (Feed& feed : feeds) {
    if (feed.number < 0) continue;
    const std::size_t done = feed.done;
    feed.asked = std::min(share, feed.inputs.size() - done);
    const std::size_t lane = static_cast<std::size_t>(&feed - feeds_.data());
    batch.push_back({feed.number,
                     std::span(feed.inputs).subspan(done, feed.asked),
                     std::span(feed.rows).subspan(done, feed.asked),
                     std::span(frame_.paths[lane]).subspan(done, feed.asked),
                     {}});
  }
}

void RecordStream::advance(std::size_t part) {
  for (Feed& feed : feeds_of(parts_[part])) {
    const std::size_t fed = std::exchange(feed.asked, 0);
    feed.done += fed;
    parts_[part].done += fed;
    tokens_ += fed;
  }
  bytes_ = all_tokens_ == 0 ? 0 : frame_.bytes * tokens_ / all_tokens_;
  if (meanwhile_ && is_ahead(parts_[part])) work_meanwhile();
}

// Whether no part has a larger share of its tokens behind it.
bool RecordStream::is_ahead(const Part& part) const {
  return std::ranges::all_of(parts_, [&](const Part& other) {
    return other.done * part.tokens <= part.done * other.tokens;
  });
}

void RecordStream::work_meanwhile() {
  const std::unique_lock lock(meanwhile_mutex_, std::try_to_lock);
  if (!lock) return;
  std::vector<std::size_t> recorded;
  for (const Feed& feed : feeds_) recorded.push_back(feed.done);
  meanwhile_(recorded);
}

bool RecordStream::close(std::size_t part, lm::Predictor& predictor) {
  bool finished = true;
  for (Feed& feed : feeds_of(parts_[part])) {
    if (feed.done < feed.inputs.size()) {
      finished = false;
    } else if (feed.number >= 0) {
      predictor.close_lane(std::exchange(feed.number, -1));
    }
  }
  return finished;
}

void RecordStream::close_all(std::size_t part, lm::Predictor& predictor) {
  if (part >= parts_.size()) return;
  for (Feed& feed : feeds_of(parts_[part])) {
    if (feed.number >= 0) predictor.close_lane(std::exchange(feed.number, -1));
  }
}

void RecordStream::add_model_seconds(std::size_t part, double seconds) {
  parts_[part].model_seconds += seconds;
}

double RecordStream::model_seconds() const {
  double most = 0;
  for (const Part& part : parts_) most = std::max(most, part.model_seconds);
  return most;
}

}  // namespace smll::codec
