// Turns what a codec says of one frame into the public progress and statistics of a whole stream.
#pragma once

#include <algorithm>

#include "codec/frame_codec.h"
#include "format/records.h"
#include "smll/smll.h"

namespace smll::api {

// Reports `stats`, which count the frames before, plus what is done of the present one. Empty when
// `progress` is. Both arguments must outlive the result.
template <class ProgressFunction>
codec::Progress frame_progress(const ProgressFunction& progress, const Stats& stats) {
  if (!progress) return {};
  return [&progress, &stats](std::size_t bytes, std::uint64_t tokens) {
    Stats now = stats;
    now.raw_bytes += bytes;
    now.tokens += tokens;
    progress(now);
  };
}

// Adds a frame that is done, but for its bytes, to `stats`.
inline void count_frame(format::Method method, const codec::FrameStats& frame, Stats& stats) {
  stats.frames += 1;
  stats.tokens += frame.tokens;
  stats.model_seconds += frame.model_seconds;
  stats.guesses += frame.guesses;
  stats.guesses_right += frame.guesses_right;
  stats.lanes = std::max(stats.lanes, frame.lanes);
  stats.methods[format::method_name(method)] += 1;
}

}  // namespace smll::api
