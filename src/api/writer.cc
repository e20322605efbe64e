#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "api/failure.h"
#include "api/frame_progress.h"
#include "api/internals.h"
#include "codec/frame_codec.h"
#include "codec/job_queue.h"
#include "codec/plain_coder.h"
#include "codec/scheduler.h"
#include "container/archive_writer.h"
#include "container/frame_cutter.h"
#include "smll/smll.h"

namespace smll {
namespace {

// All context models are only used up to kMaxModelFrame. Without them, frames are larger, but not
// so large that threads wait for each other's.
std::size_t usual_frame(Experts experts) {
  return experts == Experts::kCmFast ? std::size_t{4} << 20 : format::kMaxModelFrame;
}

container::FrameCutter::Limits limits(const WriteOptions& options) {
  const std::size_t wanted =
      options.frame_size == 0 ? usual_frame(options.experts) : options.frame_size;
  return {std::clamp<std::size_t>(wanted, 1, format::kMaxModelFrame),
          std::clamp<std::size_t>(wanted, 1, format::kMaxFrame)};
}

// A frame and what it was made from.
struct Coded {
  Bytes raw;
  format::Frame frame;
  codec::FrameStats stats;
};

// Frames that a GPU helps to make from one that the CPU decodes to the next.
constexpr std::size_t kVerifyEvery = 64;

// Bytes that a frame takes beside its payload: its header, and its line in the index.
constexpr std::size_t kFrameCost = 20;

// Data with far repeats, as frames by all methods and, once these may be the larger ones, as one
// zstd frame.
struct Trial {
  std::size_t looked = 0;  // what the fastest zstd makes of it, bytes
  std::size_t size = 0;    // of the frames so far, in the archive
  std::vector<std::pair<format::Frame, codec::FrameStats>> frames;
  std::optional<format::Frame> whole;

  // No zstd makes less than 7/10 of what the fastest does where it is near other methods.
  bool needs_whole() const { return !whole && size * 10 > looked * 7; }
  bool lost() const { return whole && size >= whole->payload.size() + kFrameCost; }
};

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
            [this](ByteView frame) { encode(frame); }),
        queue(model.options().threads) {
    if (options.lanes < 0 || options.lanes > format::kMaxLanes) {
      throw Error(ErrorKind::kUsage, "the number of lanes must be 1 to " +
                                         std::to_string(format::kMaxLanes) +
                                         ", or 0 for automatic");
    }
    if (options.lanes > 1 && model.options().learns) {
      throw Error(ErrorKind::kUsage,
                  "a model that learns codes one lane: ask for one, or for no learning");
    }
  }

  // Repeats of what lies farther back than a frame are looked for in so much data at once. Who sets
  // the size of frames wants no larger ones.
  std::size_t look_ahead() const {
    const bool looks = options.frame_size == 0 && options.experts != Experts::kLlm;
    return looks ? format::kMaxZstdFrame : 0;
  }

  void write(ByteView data) {
    if (look_ahead() == 0) return cutter.write(data);
    while (!data.empty()) {
      const std::size_t part = std::min(data.size(), look_ahead() - ahead.size());
      ahead.insert(ahead.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(part));
      data = data.subspan(part);
      if (ahead.size() == look_ahead()) catch_up();
    }
  }

  void catch_up() {
    const auto looked =
        codec::look_for_far_repeats(ahead, usual_frame(options.experts), frame_progress());
    if (looked) {
      end_frames();
      encode_repeats(*looked);
    } else {
      cutter.write(ahead);
    }
    ahead.clear();
  }

  void end_frames() {
    cutter.flush();
    drain();
  }

  // One zstd frame, or many by all methods, whichever is smaller.
  void encode_repeats(std::size_t looked) {
    const Stats before = stats;
    trial.emplace();
    trial->looked = looked;
    cutter.write(ahead);
    end_frames();
    const Trial tried = *std::exchange(trial, std::nullopt);
    stats = before;
    if (tried.lost()) return add(*tried.whole, ahead, {});
    ByteView raw = ahead;
    for (const auto& [frame, frame_stats] : tried.frames) {
      add(frame, raw.first(frame.raw_size), frame_stats);
      raw = raw.subspan(frame.raw_size);
    }
  }

  void try_frame(const format::Frame& frame, const codec::FrameStats& frame_stats) {
    trial->size += frame.payload.size() + kFrameCost;
    trial->frames.emplace_back(frame, frame_stats);
    if (!trial->needs_whole()) return;
    trial->whole = {format::Method::kZstd, ahead.size(),
                    codec::encode_zstd_long(ahead, codec::kZstdLevel, frame_progress())};
  }

  codec::FrameOptions frame_options() const { return {options.experts, options.lanes}; }

  void encode(ByteView raw) {
    if (trial && trial->lost()) return;
    const bool with_model = codec::FrameCodec::wants_model(raw, frame_options());
    if (with_model) load_model();
    // A GPU has room for many frames at once, whose mixing takes a thread each.
    const bool one_at_a_time = with_model && !loaded->options().learns && !loaded->on_gpu();
    if (one_at_a_time) {
      drain();
      encode_in_all_threads(raw);
    } else {
      if (queue.full()) finish_one();
      start(raw, with_model ? loaded : nullptr);
    }
    write_ready();
  }

  void load_model() {
    if (loaded) return;
    loaded = Internals::source(model).for_writing();
    record = api::ModelSource::record_of(*loaded);
    // A frame of a model that learns takes a predictor of its own. Those that would only wait for
    // one would keep a thread from helping.
    if (loaded->options().learns) queue.limit(loaded->scheduler().lanes());
  }

  void encode_in_all_threads(ByteView raw) {
    codec::FrameStats frame_stats;
    const format::Frame frame =
        codec::FrameCodec(loaded).encode(raw, frame_options(), &frame_stats, frame_progress());
    add(frame, raw, frame_stats);
  }

  void start(ByteView raw, const api::LoadedModelPtr& with) {
    auto coded = std::make_shared<Coded>();
    coded->raw.assign(raw.begin(), raw.end());
    const auto work = [coded, with, options = frame_options()](const codec::Progress& progress) {
      codec::FrameCodec codec(with);
      coded->frame = codec.encode(coded->raw, options, &coded->stats, progress);
      return coded;
    };
    queue.start(raw.size(), with != nullptr, work);
  }

  void finish_one() {
    const std::shared_ptr<Coded> coded = queue.finish(frame_progress());
    add(coded->frame, coded->raw, coded->stats);
  }

  void write_ready() {
    while (queue.ready()) finish_one();
  }

  void drain() {
    while (!queue.empty()) finish_one();
  }

  // One of the caller's calls, none of which may follow finish().
  template <class Work>
  void work(Work&& call) {
    if (finished) {
      throw Error(ErrorKind::kUsage, "the archive is finished: nothing can be added to it");
    }
    failure.keep(call);
  }

  void write_all() {
    catch_up();
    end_frames();
  }

  void finish() {
    write_all();
    archive.finish();
    stats.archive_bytes = archive.archive_bytes();
    finished = true;
  }

  codec::Progress frame_progress() { return api::frame_progress(options.progress, stats); }

  // Whether a frame that a GPU helped to make is one of those that the CPU decodes.
  bool is_to_be_verified(const format::Frame& frame) {
    if (!options.verify || !loaded || !loaded->on_gpu() || !format::needs_model(frame.method)) {
      return false;
    }
    return gpu_frames++ % kVerifyEvery == 0;
  }

  void verify(const format::Frame& frame, ByteView raw) {
    if (!on_cpu) {
      codec::LoadOptions cpu = loaded->options();
      cpu.device = "cpu";
      on_cpu = codec::LoadedModel::load(loaded->path(), cpu);
    }
    if (reads_as(frame, raw)) return;
    throw Error(ErrorKind::kModel, loaded->device() +
                                       " computed what this machine's processor cannot read; use"
                                       " --device cpu");
  }

  // Whether the CPU does. What it cannot decode at all is a wrong device's work, too.
  bool reads_as(const format::Frame& frame, ByteView raw) {
    try {
      codec::FrameCodec codec(on_cpu);
      return std::ranges::equal(
          codec.decode(frame.method, frame.raw_size, frame.payload, nullptr, frame_progress()),
          raw);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kData) throw;
      return false;
    }
  }

  void add(const format::Frame& frame, ByteView raw, const codec::FrameStats& frame_stats) {
    if (is_to_be_verified(frame)) verify(frame, raw);
    if (trial) {
      try_frame(frame, frame_stats);
    } else {
      archive.add(frame, raw, record ? &*record : nullptr);
    }
    stats.raw_bytes += raw.size();
    stats.archive_bytes = archive.archive_bytes();
    api::count_frame(frame.method, frame_stats, stats);
    if (options.progress) options.progress(stats);
  }

  Model model;
  WriteOptions options;
  container::ArchiveWriter archive;
  container::FrameCutter cutter;
  Bytes ahead;                 // what is not cut into frames yet
  std::optional<Trial> trial;  // of what is ahead
  api::LoadedModelPtr loaded;
  api::LoadedModelPtr on_cpu;  // the same, to verify what a GPU made
  std::size_t gpu_frames = 0;  // made with a GPU's help so far
  std::optional<format::ModelRecord> record;
  Stats stats;
  api::Failure failure;
  bool finished = false;
  codec::JobQueue<std::shared_ptr<Coded>> queue;
};

Writer::Writer(Model model, WriteOptions options, Sink& sink)
    : state_(std::make_unique<State>(std::move(model), std::move(options), sink)) {}

Writer::~Writer() = default;

void Writer::write(ByteView data) {
  state_->work([&] {
    state_->write(data);
    state_->write_ready();
  });
}

void Writer::catch_up() {
  state_->work([&] {
    state_->catch_up();
    state_->write_ready();
  });
}

void Writer::flush() {
  state_->work([&] {
    state_->write_all();
    if (state_->archive.frames() != 0) state_->archive.flush();
  });
}

void Writer::finish() {
  state_->work([&] { state_->finish(); });
}

const Stats& Writer::stats() const { return state_->stats; }

}  // namespace smll
