#include "codec/model_coder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "codec/lane_decoder.h"
#include "codec/size_code.h"
#include "codec/varint.h"

namespace smll::codec {
namespace {

// First byte of a payload that is not compact: lanes - 1 in the low five bits.
constexpr std::uint8_t kEscapesFlag = 0x20;
constexpr std::uint32_t kEscapesLikely = 512;  // P(a compact text has escapes) * 65536
constexpr std::size_t kProgressRounds = 64;

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

}  // namespace

ModelledFrame cut_frame(std::span<const std::uint8_t> data, int lanes, const LoadedModel& model) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  const std::vector<text::Unit> units = model.tokenizer().tokenize(text);
  ModelledFrame frame;
  frame.bytes = data.size();
  frame.escapes =
      std::any_of(units.begin(), units.end(), [](const text::Unit& u) { return u.escaped(); });
  frame.lanes = cut_lanes(units, model.vocabulary(), lanes);
  frame.paths.resize(frame.lanes.size());
  return frame;
}

std::size_t ModelledFrame::units() const {
  std::size_t sum = 0;
  for (const Lane& lane : lanes) sum += lane.units.size();
  return sum;
}

void run_model(ModelledFrame& frame, const LoadedModel& model,
               std::span<Predictor* const> predictors, FrameStats* stats, const Progress& progress,
               const Meanwhile& meanwhile) {
  if (stats) stats->lanes = static_cast<int>(frame.lanes.size());
  LaneRecorder(frame.lanes, frame.paths, model.vocabulary(), predictors, model.instruction_set())
      .run(frame.bytes, stats, progress, meanwhile);
}

FrameEncoder::FrameEncoder(const ModelledFrame& frame, const LoadedModel& model,
                           mix::Experts experts, bool compact)
    : frame_(frame),
      vocabulary_(model.vocabulary()),
      mixer_(experts, mix::Strength::kStrong, frame.bytes, extents(frame.lanes)),
      units_(coder_, mixer_, frame.escapes),
      positions_(frame.lanes.size()) {
  if (compact) {
    code_size(coder_, frame.bytes);
    coder_.code(kEscapesLikely, frame.escapes);
  } else {
    put_lanes(frame, payload_);
  }
}

bool FrameEncoder::round_is_recorded(std::span<const std::size_t> recorded) const {
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    const std::vector<text::Unit>& units = frame_.lanes[i].units;
    const Position& at = positions_[i];
    const bool needs_path = at.unit < units.size() && !units[at.unit].escaped();
    if (needs_path && at.token >= recorded[i]) return false;
  }
  return true;
}

// One unit of each lane that has some left, in the lanes' order, as LaneDecoder reads them.
void FrameEncoder::encode_round() {
  active_ = false;
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    const Lane& lane = frame_.lanes[i];
    Position& at = positions_[i];
    if (at.unit == lane.units.size()) continue;
    active_ = true;
    const text::Unit& unit = lane.units[at.unit++];
    if (units_.code_escape(unit.escaped())) {
      units_.code_escaped_byte(static_cast<int>(i), unit.byte);
      ++at.byte;
    } else {
      ReplayedWalk walk(frame_.paths[i][at.token++], vocabulary_.bytes(unit.row), unit.row);
      units_.code_token(static_cast<int>(i), walk, lane.extent.size - at.byte);
      at.byte += vocabulary_.bytes(unit.row).size();
    }
  }
}

void FrameEncoder::advance(std::span<const std::size_t> recorded) {
  while (active_ && round_is_recorded(recorded)) encode_round();
}

std::vector<std::uint8_t> FrameEncoder::finish(const Progress& progress) {
  for (std::size_t round = 0; active_; ++round) {
    encode_round();
    if (progress && round % kProgressRounds == 0) progress(frame_.bytes, 0);
  }
  const std::vector<std::uint8_t> code = coder_.finish();
  payload_.insert(payload_.end(), code.begin(), code.end());
  return std::move(payload_);
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
  if (lanes > model.max_lanes()) {
    throw Error(ErrorKind::kData, "the archive is damaged: it has more lanes than its backend");
  }
  const std::vector<Predictor*> predictors = predictors_for(header.extents);
  if (stats) stats->lanes = lanes;
  mix::FrameMixer mixer(experts, mix::Strength::kStrong, raw_size, header.extents);
  LaneDecoder(coder, header.extents, header.escapes, mixer, model.vocabulary(), predictors,
              model.instruction_set())
      .run(stats, progress);
  if (!coder.used_all()) {
    throw Error(ErrorKind::kData, "the archive is damaged: bytes are left behind a frame's code");
  }
  const std::span<const std::uint8_t> bytes = mixer.bytes();
  return {bytes.begin(), bytes.end()};
}

}  // namespace smll::codec
