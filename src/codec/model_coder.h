// Codes a frame with the language model, alone or mixed with context models.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "codec/frame_codec.h"
#include "codec/lane_layout.h"
#include "codec/token_walk.h"

namespace smll::codec {

// A frame as the model sees it: its lanes, and the model's probabilities along their tokens. Made
// once, it can be coded in several ways, of which the smallest is kept.
struct ModelledFrame {
  std::size_t bytes = 0;
  std::vector<Lane> lanes;
  std::vector<std::vector<RecordedPath>> paths;  // of each lane's tokens; escaped units have none
  bool escapes = false;                          // some unit is escaped
};

// Runs the model over `data`. `lanes` >= 1.
ModelledFrame model_frame(std::span<const std::uint8_t> data, int lanes, const LoadedModel& model,
                          Predictor& predictor, FrameStats* stats, const Progress& progress);

// With `compact` the payload tells its own size and has one lane; otherwise the lanes' sizes stand
// in front.
std::vector<std::uint8_t> encode_modelled(const ModelledFrame& frame, const LoadedModel& model,
                                          mix::Experts experts, bool compact);

// Predictors that share the work of decoding so many lanes: at least one, no more than lanes.
using PredictorsFor = std::function<std::vector<Predictor*>(int lanes)>;

// Throws Error(kData) where the payload cannot have come from encode_modelled(). With `compact`,
// `raw_size` is the most that is allowed (Error(kMemory) above).
std::vector<std::uint8_t> decode_modelled(std::span<const std::uint8_t> payload,
                                          std::size_t raw_size, const LoadedModel& model,
                                          const PredictorsFor& predictors_for, mix::Experts experts,
                                          bool compact, FrameStats* stats,
                                          const Progress& progress);

}  // namespace smll::codec
