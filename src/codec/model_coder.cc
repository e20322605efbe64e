#include "codec/model_coder.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "codec/lane_decoder.h"
#include "codec/size_code.h"
#include "codec/unit_coder.h"
#include "codec/varint.h"

namespace smll::codec {
namespace {

// First byte of a payload that is not compact: lanes - 1 in the low five bits.
constexpr std::uint8_t kEscapesFlag = 0x20;
constexpr std::uint32_t kEscapesLikely = 512;  // P(a compact text has escapes) * 65536

class Stopwatch {
 public:
  explicit Stopwatch(FrameStats* stats) : stats_(stats), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    if (!stats_) return;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start_;
    stats_->model_seconds += time.count();
  }

 private:
  FrameStats* stats_;
  std::chrono::steady_clock::time_point start_;
};

// The model's side of a lane while a frame is encoded: what goes in and what is asked of each
// answer.
struct LaneFeed {
  std::vector<Token> inputs;        // the start token, then every token but the last
  std::vector<std::uint32_t> rows;  // the token that each input's logits are about
  std::size_t done = 0;
};

std::vector<LaneFeed> lane_feeds(std::span<const Lane> lanes, const text::Vocabulary& vocabulary,
                                 Token start) {
  std::vector<LaneFeed> feeds(lanes.size());
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    Token previous = start;
    for (const text::Unit& unit : lanes[i].units) {
      if (unit.escaped()) continue;
      feeds[i].inputs.push_back(previous);
      feeds[i].rows.push_back(unit.row);
      previous = vocabulary.token(unit.row);
    }
  }
  return feeds;
}

// The next inputs of all lanes, near `limit` in total; lanes advance together and long ones are not
// left over.
std::vector<LaneTokens> next_batch(std::span<const LaneFeed> feeds, std::size_t limit) {
  std::size_t active = 0;
  for (const LaneFeed& feed : feeds) active += feed.done < feed.inputs.size();
  if (active == 0) return {};
  const std::size_t share = std::max<std::size_t>(1, limit / active);
  std::vector<LaneTokens> batch;
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    const auto rest = std::span(feeds[i].inputs).subspan(feeds[i].done);
    if (!rest.empty()) {
      batch.push_back({static_cast<int>(i), rest.first(std::min(share, rest.size()))});
    }
  }
  return batch;
}

void record_paths(ModelledFrame& frame, const LoadedModel& model, Predictor& predictor,
                  FrameStats* stats, const Progress& progress) {
  const text::Vocabulary& vocabulary = model.vocabulary();
  std::vector<LaneFeed> feeds = lane_feeds(frame.lanes, vocabulary, predictor.start_token());
  std::uint64_t total = 0, done = 0;
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    frame.paths[i].resize(feeds[i].inputs.size());
    total += feeds[i].inputs.size();
  }
  predictor.reset(static_cast<int>(frame.lanes.size()));
  for (;;) {
    const std::vector<LaneTokens> batch = next_batch(feeds, predictor.preferred_batch());
    if (batch.empty()) break;
    predictor.feed(batch,
                   [&](std::size_t input, std::size_t position, std::span<const float> logits) {
                     thread_local Distribution distribution;
                     distribution.assign(logits);
                     const auto lane = static_cast<std::size_t>(batch[input].lane);
                     const std::size_t at = feeds[lane].done + position;
                     frame.paths[lane][at].record(vocabulary, distribution, feeds[lane].rows[at]);
                   });
    for (const LaneTokens& fed : batch) {
      LaneFeed& feed = feeds[static_cast<std::size_t>(fed.lane)];
      feed.done += fed.tokens.size();
      done += fed.tokens.size();
      if (feed.done == feed.inputs.size()) predictor.finish_lane(fed.lane);
    }
    if (progress) progress(frame.bytes * done / total, done);
  }
  if (stats) stats->tokens += total;
}

void put_lanes(const ModelledFrame& frame, std::vector<std::uint8_t>& out) {
  out.push_back(
      static_cast<std::uint8_t>((frame.lanes.size() - 1) | (frame.escapes ? kEscapesFlag : 0)));
  for (std::size_t i = 0; i + 1 < frame.lanes.size(); ++i)
    put_varint(out, frame.lanes[i].extent.size);
}

struct LaneHeader {
  std::vector<mix::LaneExtent> extents;
  bool escapes = false;
};

LaneHeader take_lanes(std::span<const std::uint8_t>& in, std::size_t raw_size) {
  if (in.empty() || in[0] >> 6) {
    throw Error(ErrorKind::kData, "the archive is damaged: a frame's lanes are not valid");
  }
  LaneHeader header;
  header.escapes = (in[0] & kEscapesFlag) != 0;
  const int lanes = (in[0] & (kMaxLanes - 1)) + 1;
  in = in.subspan(1);
  std::size_t begin = 0;
  for (int i = 0; i < lanes; ++i) {
    const std::uint64_t size = i + 1 < lanes ? take_varint(in) : raw_size - begin;
    if (size > raw_size - begin || (size == 0 && raw_size > 0)) {
      throw Error(ErrorKind::kData, "the archive is damaged: a lane's size is not valid");
    }
    header.extents.push_back({begin, size});
    begin += size;
  }
  return header;
}

// All lanes in lock-step: one unit of each, in their order, as LaneDecoder reads them.
void encode_units(const ModelledFrame& frame, const text::Vocabulary& vocabulary,
                  UnitCoder<coder::Encoder>& coder) {
  struct Position {
    std::size_t unit = 0, token = 0, byte = 0;
  };
  std::vector<Position> positions(frame.lanes.size());
  for (bool active = true; active;) {
    active = false;
    for (std::size_t i = 0; i < frame.lanes.size(); ++i) {
      const Lane& lane = frame.lanes[i];
      Position& at = positions[i];
      if (at.unit == lane.units.size()) continue;
      active = true;
      const text::Unit& unit = lane.units[at.unit++];
      if (coder.code_escape(unit.escaped())) {
        coder.code_escaped_byte(static_cast<int>(i), unit.byte);
        ++at.byte;
      } else {
        ReplayedWalk walk(frame.paths[i][at.token++], vocabulary.bytes(unit.row), unit.row);
        coder.code_token(static_cast<int>(i), walk, lane.extent.size - at.byte);
        at.byte += vocabulary.bytes(unit.row).size();
      }
    }
  }
}

}  // namespace

ModelledFrame model_frame(std::span<const std::uint8_t> data, int lanes, const LoadedModel& model,
                          Predictor& predictor, FrameStats* stats, const Progress& progress) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  const std::vector<text::Unit> units = model.tokenizer().tokenize(text);
  ModelledFrame frame;
  frame.bytes = data.size();
  frame.escapes =
      std::any_of(units.begin(), units.end(), [](const text::Unit& u) { return u.escaped(); });
  frame.lanes = cut_lanes(units, model.vocabulary(), std::min(lanes, predictor.max_lanes()));
  frame.paths.resize(frame.lanes.size());
  if (stats) stats->lanes = static_cast<int>(frame.lanes.size());
  const Stopwatch stopwatch(stats);
  record_paths(frame, model, predictor, stats, progress);
  return frame;
}

std::vector<std::uint8_t> encode_modelled(const ModelledFrame& frame, const LoadedModel& model,
                                          mix::Experts experts, bool compact) {
  std::vector<std::uint8_t> payload;
  coder::Encoder coder;
  if (compact) {
    code_size(coder, frame.bytes);
    coder.code(kEscapesLikely, frame.escapes);
  } else {
    put_lanes(frame, payload);
  }
  mix::FrameMixer mixer(experts, mix::Strength::kStrong, frame.bytes, extents(frame.lanes));
  UnitCoder<coder::Encoder> units(coder, mixer, frame.escapes);
  encode_units(frame, model.vocabulary(), units);
  const std::vector<std::uint8_t> code = coder.finish();
  payload.insert(payload.end(), code.begin(), code.end());
  return payload;
}

std::vector<std::uint8_t> decode_modelled(std::span<const std::uint8_t> payload,
                                          std::size_t raw_size, const LoadedModel& model,
                                          const PredictorsFor& predictors_for, mix::Experts experts,
                                          bool compact, FrameStats* stats,
                                          const Progress& progress) {
  LaneHeader header;
  if (!compact) header = take_lanes(payload, raw_size);
  coder::Decoder coder(payload);
  if (compact) {
    raw_size = take_size(coder, raw_size);
    header.extents = {{0, raw_size}};
    header.escapes = coder.code(kEscapesLikely) != 0;
  }
  const auto lanes = static_cast<int>(header.extents.size());
  const std::vector<Predictor*> predictors = predictors_for(lanes);
  if (lanes > predictors.front()->max_lanes()) {
    throw Error(ErrorKind::kData, "the archive is damaged: it has more lanes than its backend");
  }
  if (stats) stats->lanes = lanes;
  mix::FrameMixer mixer(experts, mix::Strength::kStrong, raw_size, header.extents);
  LaneDecoder(coder, header.extents, header.escapes, mixer, model.vocabulary(), predictors)
      .run(stats, progress);
  if (!coder.used_all()) {
    throw Error(ErrorKind::kData, "the archive is damaged: bytes are left behind a frame's code");
  }
  const std::span<const std::uint8_t> bytes = mixer.bytes();
  return {bytes.begin(), bytes.end()};
}

}  // namespace smll::codec
