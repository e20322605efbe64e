#include <algorithm>
#include <memory>
#include <optional>

#include "api/frame_progress.h"
#include "api/model_source.h"
#include "archive/archive_writer.h"
#include "archive/frame_cutter.h"
#include "codec/frame_codec.h"
#include "smll/smll.h"

namespace smll {
namespace {

archive::FrameCutter::Limits limits(const WriteOptions& options) {
  const std::size_t wanted = options.frame_size == 0 ? codec::kMaxFrame : options.frame_size;
  return {std::clamp<std::size_t>(wanted, 1, codec::kMaxModelFrame),
          std::clamp<std::size_t>(wanted, 1, codec::kMaxFrame)};
}

}  // namespace

struct Writer::State {
  State(Model model_in, WriteOptions options_in, Sink& sink)
      : model(std::move(model_in)),
        options(std::move(options_in)),
        archive(sink),
        cutter(
            limits(options),
            [this](ByteView block) {
              return codec::FrameCodec::wants_model(block, frame_options());
            },
            [this](ByteView frame) { encode(frame); }) {
    if (options.lanes < 0 || options.lanes > codec::kMaxLanes) {
      throw Error(ErrorKind::kUsage, "the number of lanes must be 1 to " +
                                         std::to_string(codec::kMaxLanes) + ", or 0 for automatic");
    }
  }

  codec::FrameOptions frame_options() const {
    return {static_cast<codec::Experts>(options.experts), options.lanes};
  }

  // The codec with the model, loading it, when this frame may gain from it; without it otherwise.
  codec::FrameCodec& codec_for(ByteView raw) {
    if (!loaded && codec::FrameCodec::wants_model(raw, frame_options())) {
      loaded = model.source()->for_writing();
      record = api::ModelSource::record_of(*loaded);
      codec.emplace(loaded);
    }
    if (!codec) codec.emplace(nullptr);
    return *codec;
  }

  void encode(ByteView raw) {
    codec::FrameStats frame_stats;
    const codec::Frame frame = codec_for(raw).encode(raw, frame_options(), &frame_stats,
                                                     api::frame_progress(options.progress, stats));
    archive.add(frame, raw, record ? &*record : nullptr);
    stats.raw_bytes += raw.size();
    stats.archive_bytes = archive.archive_bytes();
    stats.tokens += frame_stats.tokens;
    stats.frames += 1;
    stats.model_seconds += frame_stats.model_seconds;
    stats.lanes = std::max(stats.lanes, frame_stats.lanes);
    stats.methods[archive::method_name(frame.method)] += 1;
    if (options.progress) options.progress(stats);
  }

  Model model;
  WriteOptions options;
  archive::ArchiveWriter archive;
  archive::FrameCutter cutter;
  api::LoadedModelPtr loaded;
  std::optional<archive::ModelRecord> record;
  std::optional<codec::FrameCodec> codec;
  Stats stats;
};

Writer::Writer(Model model, WriteOptions options, Sink& sink)
    : state_(std::make_unique<State>(std::move(model), std::move(options), sink)) {}

Writer::~Writer() = default;

void Writer::write(ByteView data) { state_->cutter.write(data); }

void Writer::flush() {
  state_->cutter.flush();
  if (state_->archive.frames() != 0) state_->archive.flush();
}

void Writer::finish() {
  state_->cutter.flush();
  state_->archive.finish();
  state_->stats.archive_bytes = state_->archive.archive_bytes();
}

const Stats& Writer::stats() const { return state_->stats; }

}  // namespace smll
