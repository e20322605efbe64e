#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>

#include "api/failure.h"
#include "api/frame_progress.h"
#include "api/frame_queue.h"
#include "api/model_source.h"
#include "api/time_limit.h"
#include "archive/archive_parser.h"
#include "codec/frame_codec.h"
#include "codec/limits.h"
#include "smll/smll.h"

namespace smll {
namespace {

// Ends of ranges may be past what 64 bits hold.
std::uint64_t range_end(const Range& range) {
  return range.length > UINT64_MAX - range.start ? UINT64_MAX : range.start + range.length;
}

// The part of a range that a frame's bytes [start, start + size) hold.
ByteView part_of(const Range& range, std::uint64_t start, ByteView raw) {
  const std::uint64_t end = start + raw.size();
  const std::uint64_t first = std::clamp(range.start, start, end);
  const std::uint64_t last = std::clamp(range_end(range), first, end);
  return raw.subspan(first - start, last - first);
}

// A frame whose payload has been read.
struct Pending {
  archive::FrameHeader frame;
  std::uint64_t number = 0;
  std::string place;
  std::uint64_t start = 0;        // of its data in the uncompressed data
  std::uint64_t archive_end = 0;  // where its record ends in the source
  // Shared with the thread that decodes it.
  std::shared_ptr<const Bytes> payload;
  bool started = false;  // decoding, in the queue
};

struct Decoded {
  Bytes raw;
  codec::FrameStats stats;
};

}  // namespace

struct Reader::State {
  State(Model model_in, ReadOptions options_in, Source& source)
      : model(std::move(model_in)),
        options(std::move(options_in)),
        parser(source),
        time(options.max_seconds),
        queue(model.options().threads, options.max_memory) {
    if (options.range) range = *options.range;
  }

  // The next bytes to give, as many as fit.
  std::size_t read(std::span<std::uint8_t> out) {
    if (ready.empty() && !advance()) return 0;
    const std::size_t part = std::min(out.size(), ready.size());
    std::memcpy(out.data(), ready.data(), part);
    ready = ready.subspan(part);
    return part;
  }

  // Makes `ready` the next bytes to give; false at the end.
  bool advance() {
    while (true) {
      read_ahead();
      if (pending.empty()) break;
      Pending next = std::move(pending.front());
      pending.pop_front();
      if (!decode(next)) continue;
      ready = part_of(range, next.start, raw);
      count_given(next.archive_end);
      if (!ready.empty()) return true;
    }
    done = true;
    stats.archive_bytes = parser.position();
    stats.padding = parser.padding();
    return false;
  }

  // Reads the next frame to decode and, where that costs no waiting, some of those behind it.
  void read_ahead() {
    while (!ended && !met) {
      if (!pending.empty() && !may_read_on()) return;
      try {
        ended = !read_frame();
      } catch (...) {
        // The frames before come first.
        met = std::current_exception();
      }
    }
    if (met && pending.empty()) std::rethrow_exception(met);
  }

  bool may_read_on() {
    Pending& last = pending.back();
    if (codec::needs_model(last.frame.method)) return false;
    if (!last.started && queue.has_memory(memory_of(last))) start_decoding(last);
    return last.started && !queue.full() && parser.frame_follows();
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
    Pending next;
    next.frame = parser.frame();
    next.number = parser.frame_number();
    next.place = parser.place();
    next.start = start;
    Bytes payload;
    if (!attempt([&] { parser.read_payload(payload); })) return true;
    next.payload = std::make_shared<const Bytes>(std::move(payload));
    next.archive_end = parser.position();
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

  static std::uint64_t memory_of(const Pending& next) {
    return codec::FrameCodec::memory(next.frame.method, next.frame.raw_size) + next.frame.raw_size +
           next.payload->size();
  }

  void start_decoding(Pending& next) {
    next.started = true;
    const auto work = [next, limit = options.max_memory](const codec::Progress& progress) {
      codec::FrameCodec codec(nullptr);
      codec.limit_memory(limit);
      return decode_with(codec, next, progress);
    };
    queue.start(next.frame.raw_size, work, memory_of(next));
  }

  // Makes `raw` the frame's data; false when it is damaged and left out.
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
    codec::FrameCodec* with_model =
        codec::needs_model(frame.method) ? &codec_with_model() : nullptr;
    if (!with_model && !next.started) start_decoding(next);
    Decoded decoded = time.run(
        api::frame_progress(options.progress, stats), [&](const codec::Progress& progress) {
          return with_model ? decode_with(*with_model, next, progress) : queue.finish(progress);
        });
    parser.check_content(frame, next.number, decoded.raw, *next.payload);
    raw = std::move(decoded.raw);
    api::count_frame(frame.method, decoded.stats, stats);
  }

  static Decoded decode_with(codec::FrameCodec& codec, const Pending& next,
                             const codec::Progress& progress) {
    Decoded decoded;
    decoded.raw = codec.decode(next.frame.method, next.frame.raw_size, *next.payload,
                               &decoded.stats, progress);
    return decoded;
  }

  codec::FrameCodec& codec_with_model() {
    if (!parser.model()) {
      throw Error(ErrorKind::kData, "the record that names its model is lost");
    }
    api::LoadedModelPtr needed = model.source()->for_reading(*parser.model());
    if (needed != loaded) {
      loaded = std::move(needed);
      codec.emplace(loaded);
      codec->limit_memory(options.max_memory);
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
  std::deque<Pending> pending;
  std::exception_ptr met;  // by reading ahead; what was read before it comes first
  bool ended = false;
  Bytes raw;
  ByteView ready;  // the part of `raw` that has not been given yet
  std::uint64_t raw_position = 0;
  bool done = false;
  api::Failure failure;
  Stats stats;
  api::TimeLimit time;
  api::FrameQueue<Decoded> queue;  // of those pending that need no model, in their order
};

Reader::Reader(Model model, ReadOptions options, Source& source)
    : state_(std::make_unique<State>(std::move(model), std::move(options), source)) {}

Reader::~Reader() = default;

std::size_t Reader::read(std::span<std::uint8_t> out) {
  return state_->failure.keep(
      [&] { return out.empty() || state_->done ? std::size_t{0} : state_->read(out); });
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
  info.padding = parser.padding();
  return info;
}

}  // namespace smll
