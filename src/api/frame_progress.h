// Turns a codec's progress inside one frame into the public progress of a whole stream.
#pragma once

#include "codec/frame_codec.h"
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

}  // namespace smll::api
