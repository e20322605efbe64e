#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>

#include "api/frame_progress.h"
#include "api/frame_queue.h"
#include "api/model_source.h"
#include "archive/archive_parser.h"
#include "codec/frame_codec.h"
#include "codec/size_code.h"
#include "smll/smll.h"

namespace smll {
namespace {

// Ends of ranges may be past what 64 bits hold.
std::uint64_t range_end(const Range& range) {
  return range.length > UINT64_MAX - range.start ? UINT64_MAX : range.start + range.length;
}

// A frame whose payload has been read, and what it decodes to.
struct Pending {
  archive::FrameHeader frame;
  std::uint64_t number = 0;
  std::string place;
  std::uint64_t start = 0;        // of its data in the uncompressed data
  std::uint64_t archive_end = 0;  // where its record ends in the source
  Bytes payload;
  Bytes raw;
  codec::FrameStats stats;
};

}  // namespace

struct Reader::State {
  State(Model model_in, ReadOptions options_in, Source& source)
      : model(std::move(model_in)),
        options(std::move(options_in)),
        parser(source),
        queue(model.options().threads) {
    if (options.range) range = *options.range;
  }

  // Makes `ready` the next bytes to give; false at the end.
  bool advance() {
    while (true) {
      read_ahead();
      if (pending.empty()) break;
      const std::unique_ptr<Pending> next = std::move(pending.front());
      pending.pop_front();
      if (!decode(*next)) continue;
      const std::uint64_t start = next->start;
      const std::uint64_t first = std::max(start, range.start) - start;
      const std::uint64_t last =
          std::min<std::uint64_t>(start + next->raw.size(), range_end(range)) - start;
      raw = std::move(next->raw);
      ready = ByteView(raw).subspan(first, last - first);
      count_given(next->archive_end);
      if (!ready.empty()) return true;
    }
    done = true;
    stats.archive_bytes = parser.position();
    return false;
  }

  // Reads the next frame to decode and, where that costs no waiting, some of those behind it.
  void read_ahead() {
    while (!ended && !failed) {
      const bool first = pending.empty();
      if (!first && (queue.full() || codec::needs_model(pending.back()->frame.method) ||
                     !parser.frame_follows())) {
        return;
      }
      try {
        ended = !read_frame();
      } catch (...) {
        // The frames before come first.
        failed = std::current_exception();
      }
    }
    if (failed && pending.empty()) std::rethrow_exception(failed);
  }

  // Takes one frame from the source: to be decoded, or left out; false when no more is needed.
  bool read_frame() {
    if (!next_frame()) return false;
    const std::uint64_t size = parser.frame().raw_size;
    const std::uint64_t start = raw_position;
    if (start >= range_end(range)) return false;
    raw_position += size;
    if (start + size <= range.start && size != 0) {
      attempt([&] { parser.skip_payload(); });
      return true;
    }
    auto next = std::make_unique<Pending>();
    next->frame = parser.frame();
    next->number = parser.frame_number();
    next->place = parser.place();
    next->start = start;
    if (!attempt([&] { parser.read_payload(next->payload); })) return true;
    next->archive_end = parser.position();
    if (!codec::needs_model(next->frame.method)) start_decoding(*next);
    pending.push_back(std::move(next));
    return true;
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

  // False when the work failed and is to be left out.
  template <class Work>
  bool attempt(Work&& work) {
    try {
      work();
      return true;
    } catch (const Error& error) {
      if (!report(error)) throw;
      return false;
    }
  }

  void start_decoding(Pending& next) {
    queue.start(next.frame.raw_size, [&next](const codec::Progress& progress) {
      codec::FrameCodec codec(nullptr);
      next.raw =
          codec.decode(next.frame.method, next.frame.raw_size, next.payload, &next.stats, progress);
      return true;
    });
  }

  // False when the frame is damaged and left out.
  bool decode(Pending& next) {
    // Of a range only part of a frame may be given.
    if (!options.range) check_limit(stats.raw_bytes + next.frame.raw_size);
    return attempt([&] {
      try {
        decode_payload(next);
      } catch (const Error& error) {
        throw Error(error.kind(), next.place + ": " + error.what());
      }
    });
  }

  void decode_payload(Pending& next) {
    const archive::FrameHeader& frame = next.frame;
    const codec::Progress progress = api::frame_progress(options.progress, stats);
    if (codec::needs_model(frame.method)) {
      next.raw = codec_with_model().decode(frame.method, frame.raw_size, next.payload, &next.stats,
                                           progress);
    } else {
      queue.finish(progress);
    }
    parser.check_content(frame, next.number, next.raw, next.payload);
    api::count_frame(frame.method, next.stats, stats);
  }

  codec::FrameCodec& codec_with_model() {
    if (!parser.model()) {
      throw Error(ErrorKind::kData, "the record that names its model is lost");
    }
    api::LoadedModelPtr needed = model.source()->for_reading(*parser.model());
    if (needed != loaded) {
      loaded = std::move(needed);
      codec.emplace(loaded);
    }
    return *codec;
  }

  void count_given(std::uint64_t archive_end) {
    stats.raw_bytes += ready.size();
    stats.archive_bytes = archive_end;
    check_limit(stats.raw_bytes);
    if (options.progress) options.progress(stats);
  }

  void check_limit(std::uint64_t bytes) const {
    if (options.max_bytes != 0) codec::check_size(bytes, options.max_bytes);
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
  std::optional<codec::FrameCodec> codec;  // with the model
  std::deque<std::unique_ptr<Pending>> pending;
  std::exception_ptr failed;  // what reading ahead met
  bool ended = false;
  Bytes raw;
  ByteView ready;  // the part of `raw` that has not been given yet
  std::uint64_t raw_position = 0;
  bool done = false;
  Stats stats;
  api::FrameQueue<bool> queue;  // of those pending that need no model, in their order
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
      info.window = static_cast<int>(record.window);
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
