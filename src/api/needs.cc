// What reading takes, and which versions are read.
#include <algorithm>

#include "api/internals.h"
#include "codec/frame_codec.h"
#include "codec/frame_decoding.h"
#include "container/archive_parser.h"
#include "lm/exact/engine.h"
#include "smll/smll.h"

namespace smll {

std::uint64_t decoding_memory(const Model& model, Source& source) {
  container::ArchiveParser parser(source);
  std::uint64_t most = 0;
  Bytes payload;
  while (parser.next_frame()) {
    const format::FrameHeader frame = parser.frame();
    if (!format::needs_model(frame.method)) {
      most = std::max(most, codec::FrameCodec::memory(frame.method, frame.raw_size));
      parser.skip_payload();
      continue;
    }
    const api::LoadedModelPtr loaded = Internals::source(model).for_reading(*parser.model());
    parser.read_payload(payload);
    const codec::FrameDecoding decoding(loaded, {frame.method, frame.raw_size, payload, nullptr});
    most = std::max(most, decoding.memory());
  }
  return most;
}

Versions versions() {
  return {format::kFormatVersion, static_cast<int>(format::kPredictionSet),
          static_cast<int>(exact::kArithmeticVersion), static_cast<int>(exact::kLearningVersion)};
}

}  // namespace smll
