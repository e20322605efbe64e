#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "api/frame_progress.h"
#include "api/model_source.h"
#include "archive/archive_parser.h"
#include "codec/frame_codec.h"
#include "smll/smll.h"

namespace smll {
namespace {

// Ends of ranges may be past what 64 bits hold.
std::uint64_t range_end(const Range& range) {
  return range.length > UINT64_MAX - range.start ? UINT64_MAX : range.start + range.length;
}

}  // namespace

struct Reader::State {
  State(Model model_in, ReadOptions options_in, Source& source)
      : model(std::move(model_in)), options(std::move(options_in)), parser(source) {
    if (options.range) range = *options.range;
  }

  // Makes `ready` the next bytes to give; false at the end.
  bool advance() {
    while (next_frame()) {
      const std::uint64_t start = raw_position;
      const std::uint64_t size = parser.frame().raw_size;
      if (start >= range_end(range)) break;
      raw_position += size;
      if (start + size <= range.start && size != 0) {
        skip_frame();
        continue;
      }
      if (!decode_frame()) continue;
      const std::uint64_t first = std::max(start, range.start) - start;
      const std::uint64_t last = std::min(start + size, range_end(range)) - start;
      ready = ByteView(raw).subspan(first, last - first);
      count_given();
      if (!ready.empty()) return true;
    }
    done = true;
    stats.archive_bytes = parser.position();
    return false;
  }

  bool next_frame() {
    while (true) {
      try {
        return parser.next_frame();
      } catch (const Error& error) {
        if (!report(error)) throw;
        if (!parser.resume_after_damage()) return false;
      }
    }
  }

  void skip_frame() {
    try {
      parser.skip_payload();
    } catch (const Error& error) {
      if (!report(error)) throw;
    }
  }

  bool decode_frame() {
    const std::string place = parser.place();
    try {
      parser.read_payload(payload);
    } catch (const Error& error) {
      if (!report(error)) throw;
      return false;
    }
    try {
      decode_payload();
      return true;
    } catch (const Error& error) {
      const Error placed(error.kind(), place + ": " + error.what());
      if (!report(placed)) throw placed;
      return false;
    }
  }

  void decode_payload() {
    const archive::FrameHeader& frame = parser.frame();
    codec::FrameStats frame_stats;
    raw = codec_for(frame.method)
              .decode(frame.method, frame.raw_size, payload, &frame_stats,
                      api::frame_progress(options.progress, stats));
    parser.check_content(raw, payload);
    stats.frames += 1;
    stats.tokens += frame_stats.tokens;
    stats.model_seconds += frame_stats.model_seconds;
    stats.lanes = std::max(stats.lanes, frame_stats.lanes);
    stats.methods[archive::method_name(frame.method)] += 1;
  }

  codec::FrameCodec& codec_for(codec::Method method) {
    if (codec::needs_model(method)) {
      if (!parser.model()) {
        throw Error(ErrorKind::kData, "the record that names its model is lost");
      }
      api::LoadedModelPtr needed = model.source()->for_reading(*parser.model());
      if (needed != loaded) {
        loaded = std::move(needed);
        codec.emplace(loaded);
      }
    }
    if (!codec) codec.emplace(nullptr);
    return *codec;
  }

  void count_given() {
    stats.raw_bytes += ready.size();
    stats.archive_bytes = parser.position();
    if (options.max_bytes != 0 && stats.raw_bytes > options.max_bytes) {
      throw Error(ErrorKind::kMemory, "the data is larger than the limit of " +
                                          std::to_string(options.max_bytes) + " bytes");
    }
    if (options.progress) options.progress(stats);
  }

  // False when the error must stop the reading.
  bool report(const Error& error) {
    if (!options.keep_going || error.kind() == ErrorKind::kIo ||
        error.kind() == ErrorKind::kMemory) {
      return false;
    }
    stats.damaged_frames += 1;
    if (options.on_damage) options.on_damage(error);
    return true;
  }

  Model model;
  ReadOptions options;
  archive::ArchiveParser parser;
  Range range;
  api::LoadedModelPtr loaded;
  std::optional<codec::FrameCodec> codec;
  Bytes payload;
  Bytes raw;
  ByteView ready;  // the part of `raw` that has not been given yet
  std::uint64_t raw_position = 0;
  bool done = false;
  Stats stats;
};

Reader::Reader(Model model, ReadOptions options, Source& source)
    : state_(std::make_unique<State>(std::move(model), std::move(options), source)) {}

Reader::~Reader() = default;

std::size_t Reader::read(std::span<std::uint8_t> out) {
  State& state = *state_;
  if (out.empty() || state.done) return 0;
  if (state.ready.empty() && !state.advance()) return 0;
  const std::size_t part = std::min(out.size(), state.ready.size());
  std::memcpy(out.data(), state.ready.data(), part);
  state.ready = state.ready.subspan(part);
  return part;
}

const Stats& Reader::stats() const { return state_->stats; }

ArchiveInfo list(Source& source) {
  archive::ArchiveParser parser(source);
  ArchiveInfo info;
  while (parser.next_frame()) {
    const archive::FrameHeader frame = parser.frame();
    const std::uint64_t offset = parser.frame_offset();
    if (codec::needs_model(frame.method)) {
      const archive::ModelRecord& record = *parser.model();
      info.needs_model = true;
      info.model_name = api::ModelSource::name_of(record);
      info.fingerprint = record.fingerprint;
      info.arithmetic = record.arithmetic;
      info.backend = static_cast<Backend>(record.backend);
    }
    parser.skip_payload();
    info.frames.push_back(
        {archive::method_name(frame.method), frame.raw_size, parser.position() - offset, offset});
    info.raw_size += frame.raw_size;
  }
  info.archives = parser.archives();
  info.archive_size = parser.position();
  return info;
}

}  // namespace smll
