#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "api/failure.h"
#include "api/frame_progress.h"
#include "api/internals.h"
#include "api/time_limit.h"
#include "codec/frame_codec.h"
#include "codec/frame_decoding.h"
#include "codec/job_queue.h"
#include "container/archive_parser.h"
#include "format/limits.h"
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

// What has been read and is to be given next, or told: a frame, damage, or an archive's end.
struct Pending {
  format::FrameHeader frame;
  std::uint64_t number = 0;
  std::string place;
  std::uint64_t start = 0;                             // of its data in the uncompressed data
  std::uint64_t archive_end = 0;                       // where its record ends in the source
  std::shared_ptr<container::ArchiveContent> content;  // of its archive; null for damage
  std::optional<format::ModelRecord> model;            // of its archive
  // Shared with the thread that decodes it; null where this is no frame.
  std::shared_ptr<const Bytes> payload;
  std::exception_ptr failure;                      // damage, or why decoding cannot start
  std::unique_ptr<codec::FrameDecoding> decoding;  // with the model
  bool admitted = false;  // within the limits of what may be decoded together
  bool started = false;   // decoding, in the queue

  bool needs_model() const { return payload && format::needs_model(frame.method); }
};

constexpr std::size_t kMostPending = 64;
constexpr std::size_t kMostPendingBytes = std::size_t{48} << 20;

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
        seekable(source.seekable()),
        time(options.max_seconds),
        queue(model.options().threads) {
    if (options.range) range = *options.range;
  }
  ~State() { cancel(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Nothing refers to what was read ahead any more.
  void cancel() {
    for (Pending& next : pending) {
      if (next.decoding) next.decoding->cancel();
    }
    pending.clear();
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
      start_plain();
      Pending next = std::move(pending.front());
      pending.pop_front();
      if (!attempt([&] { take(next); })) continue;
      if (!next.payload) continue;
      ready = part_of(range, next.start, raw);
      count_given(next.archive_end);
      if (!ready.empty()) return true;
    }
    done = true;
    stats.archive_bytes = parser.position();
    stats.padding = parser.padding();
    return false;
  }

  // Reads what comes next and, where that costs no waiting, some of what is behind it.
  void read_ahead() {
    while (!ended) {
      try {
        if (!pending.empty() && !may_read_on()) return;
        ended = !read_next();
      } catch (...) {
        // What was read before comes first.
        ended = true;
        put_failure();
      }
    }
  }

  bool may_read_on() {
    Pending& last = pending.back();
    if (!last.admitted && !admit(last)) return false;
    std::size_t bytes = 0;
    for (const Pending& next : pending) bytes += next.frame.raw_size;
    return pending.size() < kMostPending && bytes < kMostPendingBytes && !queue.full() &&
           parser.more_follows();
  }

  // Lets the frame that was read last be decoded beside those before it, if there is room for it.
  // One always may.
  bool admit(Pending& last) {
    const bool alone = pending.size() == 1;
    if (last.needs_model() && !last.decoding && !last.failure) {
      // Another model is loaded once the frames before are done.
      if (!alone && (!loaded || last.model != record)) return false;
      try {
        prepare(last);
      } catch (...) {
        last.failure = std::current_exception();
      }
    }
    if (!alone && !has_room(last)) return false;
    last.admitted = true;
    if (last.decoding) last.decoding->start(this);
    start_plain();
    return true;
  }

  void prepare(Pending& next) {
    const api::LoadedModelPtr& with = model_for(next);
    const codec::FrameDecoding::Payload payload{next.frame.method, next.frame.raw_size,
                                                *next.payload, next.payload};
    auto decoding = std::make_unique<codec::FrameDecoding>(with, payload);
    format::check_memory(decoding->memory(), options.max_memory);
    next.decoding = std::move(decoding);
  }

  bool has_room(const Pending& last) const {
    std::uint64_t memory = 0;
    std::vector<std::size_t> lanes;
    for (const Pending& next : pending) {
      if (!next.payload) continue;
      memory += next.frame.raw_size + next.payload->size();
      if (!next.decoding) {
        memory += codec::FrameCodec::memory(next.frame.method, next.frame.raw_size);
        continue;
      }
      memory += next.decoding->own_memory();
      lanes.insert(lanes.end(), next.decoding->lanes().begin(), next.decoding->lanes().end());
    }
    if (last.decoding) {
      const codec::LoadedModel::Together most = loaded->together();
      if (memory > most.memory) return false;
      if (lanes.size() > std::min(most.lanes, loaded->scheduler().lanes())) return false;
    }
    if (options.max_memory == 0) return true;
    if (!lanes.empty()) memory += loaded->decoding_memory(lanes) + loaded->opening_memory(false);
    return memory <= options.max_memory;
  }

  // Starts frames that need no model, as far as none with the model, which has the threads, comes
  // before them.
  void start_plain() {
    for (Pending& next : pending) {
      if (next.decoding || !next.admitted || queue.full()) return;
      if (next.payload && !next.started && !next.failure) start_decoding(next);
    }
  }

  // Takes what comes next from the source; false when no more is needed.
  bool read_next() {
    try {
      if (!pending.empty() && parser.end_archive()) {
        put_end();
        return true;
      }
      if (raw_position != 0 && raw_position >= range_end(range)) return false;
      if (!std::exchange(begun, true)) go_to_range();
      if (!parser.next_frame()) return false;
    } catch (const Error& error) {
      if (!may_go_on(error)) throw;
      put_failure();
      return parser.resume_after_damage();
    }
    const std::uint64_t size = parser.frame().raw_size;
    const std::uint64_t start = raw_position;
    if (start >= range_end(range)) return false;
    raw_position += size;
    try {
      if (start + size <= range.start && size != 0) {
        parser.skip_payload();
      } else {
        put_frame(start);
      }
    } catch (const Error& error) {
      if (!may_go_on(error)) throw;
      put_failure();
    }
    return true;
  }

  // Passes over the frames before the range where the source's indexes know them.
  void go_to_range() {
    if (range.start == 0 || range.length == 0 || !seekable) return;
    if (const auto start = parser.go_to_data(range.start)) raw_position = *start;
  }

  void put_frame(std::uint64_t start) {
    Pending next;
    next.frame = parser.frame();
    next.number = parser.frame_number();
    next.place = parser.place();
    next.start = start;
    next.content = parser.content();
    next.model = parser.model();
    Bytes payload;
    parser.read_payload(payload);
    next.payload = std::make_shared<const Bytes>(std::move(payload));
    next.archive_end = parser.position();
    pending.push_back(std::move(next));
  }

  void put_end() {
    Pending next;
    next.content = parser.content();
    next.admitted = true;
    pending.push_back(std::move(next));
  }

  // What was just caught.
  void put_failure() {
    Pending next;
    next.failure = std::current_exception();
    next.admitted = true;
    pending.push_back(std::move(next));
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
    next.started = true;
    const auto work = [frame = next.frame, payload = next.payload,
                       limit = options.max_memory](const codec::Progress& progress) {
      codec::FrameCodec codec(nullptr);
      codec.limit_memory(limit);
      Decoded decoded;
      decoded.raw = codec.decode(frame.method, frame.raw_size, *payload, &decoded.stats, progress);
      return decoded;
    };
    queue.start(next.frame.raw_size, false, work);
  }

  // Makes `raw` the frame's data.
  void take(Pending& next) {
    if (next.payload) {
      // Of a range only part of a frame may be given.
      if (!options.range) check_limit(stats.raw_bytes + next.frame.raw_size);
      try {
        if (next.failure) std::rethrow_exception(next.failure);
        decode(next);
      } catch (const Error& error) {
        throw Error(error.kind(), next.place + ": " + error.what());
      }
    } else if (next.failure) {
      std::rethrow_exception(next.failure);
    } else {
      next.content->check_whole();
    }
  }

  void decode(Pending& next) {
    Decoded decoded = time.run(progress_of(next), [&](const codec::Progress& progress) {
      if (!next.decoding) return queue.finish(progress);
      Decoded with_model;
      with_model.raw = next.decoding->finish(&with_model.stats, progress);
      return with_model;
    });
    next.content->check_frame(next.frame, next.number, decoded.raw, *next.payload);
    raw = std::move(decoded.raw);
    api::count_frame(next.frame.method, decoded.stats, stats);
  }

  // The model of a frame's archive.
  const api::LoadedModelPtr& model_for(const Pending& next) {
    if (!next.model) {
      throw Error(ErrorKind::kData, "the record that names its model is lost");
    }
    if (!loaded || record != next.model) {
      loaded = Internals::source(model).for_reading(*next.model);
      record = next.model;
    }
    return loaded;
  }

  // Reports what is done of a frame and of those that are decoded beside it.
  codec::Progress progress_of(const Pending& front) {
    if (!options.progress) return {};
    return [this, &front](std::size_t bytes, std::uint64_t tokens) {
      bytes = std::min(bytes, given_of(front));
      for (const Pending& next : pending) {
        if (!next.decoding) continue;
        bytes += std::min(next.decoding->bytes(), given_of(next));
        tokens += next.decoding->tokens();
      }
      report_progress(bytes, tokens);
    };
  }

  std::size_t given_of(const Pending& next) const {
    const std::uint64_t end = next.start + next.frame.raw_size;
    return std::clamp(range_end(range), next.start, end) - std::clamp(range.start, next.start, end);
  }

  // The bytes and tokens come on top of those of frames that were given. Never less than before,
  // whatever has turned out to be damaged.
  void report_progress(std::size_t bytes, std::uint64_t tokens) {
    Stats now = stats;
    now.raw_bytes = told_bytes = std::max(told_bytes, now.raw_bytes + bytes);
    now.tokens = told_tokens = std::max(told_tokens, now.tokens + tokens);
    options.progress(now);
  }

  void count_given(std::uint64_t archive_end) {
    stats.raw_bytes += ready.size();
    stats.archive_bytes = archive_end;
    check_limit(stats.raw_bytes);
    if (options.progress) report_progress(0, 0);
  }

  void check_limit(std::uint64_t bytes) const {
    if (options.max_bytes != 0) format::check_size(bytes, options.max_bytes);
  }

  // False when the error must stop the reading.
  bool may_go_on(const Error& error) const {
    return options.keep_going && error.kind() != ErrorKind::kIo &&
           error.kind() != ErrorKind::kMemory;
  }

  bool report(const Error& error) {
    if (!may_go_on(error)) return false;
    stats.damaged_frames += 1;
    if (options.on_damage) options.on_damage(error);
    return true;
  }

  Model model;
  ReadOptions options;
  container::ArchiveParser parser;
  bool seekable;
  bool begun = false;  // a frame has been asked for
  Range range;
  api::LoadedModelPtr loaded;
  std::optional<format::ModelRecord> record;  // of `loaded`
  std::deque<Pending> pending;                // all but the last are admitted
  bool ended = false;                         // no more is to be read
  Bytes raw;
  ByteView ready;  // the part of `raw` that has not been given yet
  std::uint64_t raw_position = 0;
  bool done = false;
  api::Failure failure;
  Stats stats;
  std::uint64_t told_bytes = 0, told_tokens = 0;  // by progress, at most
  api::TimeLimit time;
  codec::JobQueue<Decoded> queue;  // of those pending that need no model, in their order
};

Reader::Reader(Model model, ReadOptions options, Source& source)
    : state_(std::make_unique<State>(std::move(model), std::move(options), source)) {}

Reader::~Reader() = default;

std::size_t Reader::read(std::span<std::uint8_t> out) {
  return state_->failure.keep([&] {
    if (out.empty() || state_->done) return std::size_t{0};
    try {
      return state_->read(out);
    } catch (...) {
      state_->cancel();
      throw;
    }
  });
}

const Stats& Reader::stats() const { return state_->stats; }

std::vector<FrameSpan> frame_spans(Source& source) {
  std::vector<FrameSpan> spans;
  if (source.seekable()) {
    container::ArchiveIndex index(source);
    if (index.whole()) {
      for (std::uint64_t end = 0; const auto frame = index.next_with_data_behind(end);) {
        spans.push_back({frame->raw_start, frame->raw_size});
        end = frame->raw_start + frame->raw_size;
      }
      return spans;
    }
    source.seek(0);
  }
  std::uint64_t start = 0;
  for (const FrameInfo& frame : list(source).frames) {
    if (frame.raw_size != 0) spans.push_back({start, frame.raw_size});
    start += frame.raw_size;
  }
  return spans;
}

ArchiveInfo list(Source& source) {
  container::ArchiveParser parser(source);
  ArchiveInfo info;
  while (parser.next_frame()) {
    const format::FrameHeader frame = parser.frame();
    const std::uint64_t offset = parser.frame_offset();
    if (format::needs_model(frame.method)) {
      const format::ModelRecord& record = *parser.model();
      info.needs_model = true;
      info.model_name = api::ModelSource::name_of(record);
      info.fingerprint = record.fingerprint;
      info.window = static_cast<int>(record.window);
      info.arithmetic = record.arithmetic;
      info.backend = record.backend;
      info.dictionary.reset();
      if (record.dictionary) {
        info.dictionary = record.dictionary->identity;
        info.dictionary_name = record.dictionary->name;
      }
    }
    parser.skip_payload();
    info.frames.push_back(
        {format::method_name(frame.method), frame.raw_size, parser.position() - offset, offset});
    info.raw_size += frame.raw_size;
  }
  info.archives = parser.archives();
  info.archive_size = parser.position();
  info.padding = parser.padding();
  return info;
}

}  // namespace smll
