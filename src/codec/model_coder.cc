#include "codec/model_coder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "codec/lane_header.h"
#include "codec/size_code.h"

namespace smll::codec {
namespace {

constexpr std::size_t kProgressRounds = 64;

}  // namespace

ModelledFrame cut_frame(std::span<const std::uint8_t> data, int lanes, const LoadedModel& model,
                        const Opening* opening) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  const std::vector<text::Unit> units = model.tokenizer().tokenize(text);
  ModelledFrame frame;
  frame.bytes = data.size();
  frame.opening = opening;
  frame.escapes =
      std::any_of(units.begin(), units.end(), [](const text::Unit& u) { return u.escaped(); });
  frame.lanes = cut_lanes(units, model.vocabulary(), lanes);
  frame.paths.resize(frame.lanes.size());
  return frame;
}

std::size_t ModelledFrame::units() const {
  std::size_t sum = 0;
  for (const LaneText& lane : lanes) sum += lane.units.size();
  return sum;
}

mix::FrameMixer make_mixer(const Opening* opening, mix::Sources experts, std::size_t frame_bytes,
                           std::span<const mix::LaneExtent> lanes) {
  if (opening) return opening->mixer(experts, frame_bytes, lanes);
  return {experts, mix::Strength::kStrong, frame_bytes, lanes};
}

FrameEncoder::FrameEncoder(const ModelledFrame& frame, const text::Vocabulary& vocabulary,
                           mix::Sources experts)
    : frame_(frame),
      vocabulary_(vocabulary),
      mixer_(make_mixer(frame.opening, experts, frame.bytes, extents(frame.lanes))),
      units_(coder_, mixer_, frame.escapes),
      positions_(frame.lanes.size()) {
  put_lanes({extents(frame.lanes), frame.escapes}, payload_);
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

// One unit of each lane that has some left, in the lanes' order, as DecodeStream reads them.
void FrameEncoder::encode_round() {
  active_ = false;
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    const LaneText& lane = frame_.lanes[i];
    Position& at = positions_[i];
    if (at.unit == lane.units.size()) continue;
    active_ = true;
    const text::Unit& unit = lane.units[at.unit++];
    if (units_.code_escape(unit.escaped())) {
      units_.code_escaped_byte(static_cast<int>(i), unit.byte);
      ++at.byte;
    } else {
      lm::ReplayedWalk walk(frame_.paths[i][at.token++], vocabulary_.bytes(unit.row), unit.row);
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

}  // namespace smll::codec
