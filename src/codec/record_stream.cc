#include "codec/record_stream.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace smll::codec {
namespace {

// A long text leaves room for others.
constexpr std::size_t kMostRows = 64;

}  // namespace

RecordStream::RecordStream(ModelledFrame& frame, const text::Vocabulary& vocabulary,
                           Meanwhile meanwhile)
    : frame_(frame),
      vocabulary_(vocabulary),
      meanwhile_(std::move(meanwhile)),
      feeds_(frame.lanes.size()) {
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    Feed& feed = feeds_[i];
    for (const text::Unit& unit : frame.lanes[i].units) {
      if (unit.escaped()) continue;
      // The first input is what the lane begins with, which open() knows.
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
  divide(feeds_.size(), parts);
  shares_ = std::vector<Share>(parts);
  for (std::size_t i = 0; i < parts; ++i) {
    for (const std::size_t lane : lanes_of(i)) {
      shares_[i].tokens += feeds_[lane].rows.size();
    }
  }
}

void RecordStream::open(std::size_t part, lm::Predictor& predictor) {
  for (const std::size_t lane : lanes_of(part)) {
    Feed& feed = feeds_[lane];
    if (feed.inputs.empty()) continue;
    if (const std::optional<Token> first = open_lane(lane, frame_.opening, predictor)) {
      feed.inputs[0] = *first;
      continue;
    }
    frame_.paths[lane][0].record(vocabulary_, frame_.opening->first(), feed.rows[0]);
    feed.done = 1;
    ++shares_[part].done;
    ++tokens_;
  }
}

// Lanes advance together, so that long ones are not left over.
void RecordStream::collect(std::size_t part, lm::Predictor& /*predictor*/, const Room& room,
                           std::vector<lm::LaneInput>& batch) {
  std::size_t open = 0;
  for (const std::size_t lane : lanes_of(part)) open += is_open(lane) ? 1 : 0;
  if (open == 0) return;
  const std::size_t share = std::max<std::size_t>(1, room.rows / open);
  for (const std::size_t lane : lanes_of(part)) {
    if (!is_open(lane)) continue;
    Feed& feed = feeds_[lane];
    const std::size_t done = feed.done;
    feed.asked = std::min(share, feed.inputs.size() - done);
    batch.push_back({number(lane),
                     std::span(feed.inputs).subspan(done, feed.asked),
                     std::span(feed.rows).subspan(done, feed.asked),
                     std::span(frame_.paths[lane]).subspan(done, feed.asked),
                     {}});
  }
}

void RecordStream::advance(std::size_t part) {
  for (const std::size_t lane : lanes_of(part)) {
    const std::size_t fed = std::exchange(feeds_[lane].asked, 0);
    feeds_[lane].done += fed;
    shares_[part].done += fed;
    tokens_ += fed;
  }
  bytes_ = all_tokens_ == 0 ? 0 : frame_.bytes * tokens_ / all_tokens_;
  if (meanwhile_ && is_ahead(shares_[part])) work_meanwhile();
}

// Whether no part has a larger share of its tokens behind it.
bool RecordStream::is_ahead(const Share& share) const {
  return std::ranges::all_of(shares_, [&](const Share& other) {
    return other.done * share.tokens <= share.done * other.tokens;
  });
}

void RecordStream::work_meanwhile() {
  const std::unique_lock lock(meanwhile_mutex_, std::try_to_lock);
  if (!lock) return;
  std::vector<std::size_t> recorded;
  for (const Feed& feed : feeds_) recorded.push_back(feed.done);
  meanwhile_(recorded);
}

}  // namespace smll::codec
