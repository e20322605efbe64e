// Cuts the units of a frame into lanes: independent contexts that are coded in lock-step.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "mix/frame_mixer.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace smll::codec {

struct LaneText {
  mix::LaneExtent extent;         // the lane's bytes in the frame
  std::vector<text::Unit> units;  // that spell them
};

// Lanes for a frame of `bytes`: one for small frames, since each begins knowing nothing.
int lanes_for(std::size_t bytes);

// At most `lanes` lanes, none empty (one lane when there are no units), with near equal numbers of
// units; cut behind a line where one ends near, else behind a sentence, else anywhere.
std::vector<LaneText> cut_lanes(std::span<const text::Unit> units,
                                const text::Vocabulary& vocabulary, int lanes);

std::vector<mix::LaneExtent> extents(std::span<const LaneText> lanes);

}  // namespace smll::codec
