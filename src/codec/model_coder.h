// Encodes a frame with the language model's probabilities, alone or mixed with context models.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codec/frame_codec.h"
#include "codec/lane_layout.h"
#include "codec/loaded_model.h"
#include "codec/opening.h"
#include "codec/progress.h"
#include "codec/unit_coder.h"
#include "coder/range_coder.h"
#include "lm/token_walk.h"
#include "mix/frame_mixer.h"

namespace smll::codec {

// A frame as the model sees it: its lanes, and the model's probabilities along their tokens. Made
// once, it can be coded in several ways, of which the smallest is kept.
struct ModelledFrame {
  std::size_t bytes = 0;
  std::vector<LaneText> lanes;
  std::vector<std::vector<lm::RecordedPath>>
      paths;                         // of each lane's tokens; escaped units have none
  bool escapes = false;              // some unit is escaped
  const Opening* opening = nullptr;  // what each lane begins with; null: nothing

  // Of all lanes.
  std::size_t units() const;
};

// At most `lanes` >= 1 lanes, whose paths RecordStream makes. `opening`, which may be null, must
// outlive it.
ModelledFrame cut_frame(std::span<const std::uint8_t> data, int lanes, const LoadedModel& model,
                        const Opening* opening);
// The mixer of a frame whose lanes begin with `opening`, which may be null.
mix::FrameMixer make_mixer(const Opening* opening, mix::Sources experts, std::size_t frame_bytes,
                           std::span<const mix::LaneExtent> lanes);

// Turns a frame into a payload, perhaps while its paths are still being recorded.
class FrameEncoder {
 public:
  // `frame` and `vocabulary` must outlive this.
  FrameEncoder(const ModelledFrame& frame, const text::Vocabulary& vocabulary,
               mix::Sources experts);
  FrameEncoder(const FrameEncoder&) = delete;
  FrameEncoder& operator=(const FrameEncoder&) = delete;

  // Codes as much as `recorded[i]` paths of each lane i allow.
  void advance(std::span<const std::size_t> recorded);
  // Codes the rest; all paths must be there. To be called once, last. `progress` is called now and
  // then and may throw to cancel.
  std::vector<std::uint8_t> finish(const Progress& progress = {});

 private:
  struct Position {
    std::size_t unit = 0, token = 0, byte = 0;
  };
  bool round_is_recorded(std::span<const std::size_t> recorded) const;
  void encode_round();

  const ModelledFrame& frame_;
  const text::Vocabulary& vocabulary_;
  std::vector<std::uint8_t> payload_;
  coder::Encoder coder_;
  mix::FrameMixer mixer_;
  UnitCoder<coder::Encoder> units_;
  std::vector<Position> positions_;
  bool active_ = true;  // some lane may have units left
};

}  // namespace smll::codec
