#include <mutex>
#include <utility>

#include "api/frame_progress.h"
#include "api/many.h"
#include "api/model_source.h"
#include "api/time_limit.h"
#include "archive/compact.h"
#include "codec/frame_codec.h"
#include "codec/size_code.h"
#include "smll/smll.h"

namespace smll {

static_assert(kCompactLimit == codec::kMaxCompact, "what is promised must be what can be coded");
namespace {

// Working memory of one call, kept for the next.
struct Worker {
  explicit Worker(api::LoadedModelPtr model_in) : model(model_in), codec(std::move(model_in)) {}
  api::LoadedModelPtr model;  // null: only methods without one
  codec::FrameCodec codec;
};

ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct Compressor::State {
  Model model;
  WriteOptions options;
  std::mutex mutex;
  std::vector<std::unique_ptr<Worker>> idle;

  // A codec that no other call uses, with the model or, where that is null, without.
  std::unique_ptr<Worker> take(const api::LoadedModelPtr& wanted) {
    const std::lock_guard lock(mutex);
    for (std::unique_ptr<Worker>& worker : idle) {
      if (worker->model != wanted) continue;
      std::unique_ptr<Worker> taken = std::move(worker);
      worker = std::move(idle.back());
      idle.pop_back();
      return taken;
    }
    return std::make_unique<Worker>(wanted);
  }

  void give_back(std::unique_ptr<Worker> worker) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(worker));
  }

  Bytes compress_small(ByteView data) {
    const codec::FrameOptions frame_options = {static_cast<codec::Experts>(options.experts),
                                               options.lanes};
    const bool with_model = codec::FrameCodec::wants_model(data, frame_options);
    std::unique_ptr<Worker> worker = take(with_model ? model.source()->for_writing() : nullptr);
    const Stats none;
    const codec::Frame frame = worker->codec.encode_compact(
        data, frame_options.experts, api::frame_progress(options.progress, none));
    const std::uint64_t identity =
        worker->model ? api::ModelSource::identity_of(*worker->model) : 0;
    Bytes packed = archive::pack_compact(frame.method, frame.payload, data, identity);
    give_back(std::move(worker));
    return packed;
  }

  Bytes compress_large(ByteView data) {
    MemorySink sink;
    Writer writer(model, options, sink);
    writer.write(data);
    writer.finish();
    return sink.take();
  }

  Bytes decompress_small(ByteView data, const Limits& limits) {
    const codec::Method method = archive::compact_method(data);
    const bool with_model = codec::needs_model(method);
    std::unique_ptr<Worker> worker =
        take(with_model ? model.source()->for_reading_compact() : nullptr);
    const std::uint64_t identity =
        worker->model ? api::ModelSource::identity_of(*worker->model) : 0;
    if (!archive::compact_model_fits(data, identity)) {
      throw Error(ErrorKind::kModel, "the data was compressed with another model than " +
                                         worker->model->name() + ", or it is damaged");
    }
    worker->codec.limit_memory(limits.max_memory);
    const Stats none;
    Bytes raw =
        api::TimeLimit(limits.max_seconds)
            .run(api::frame_progress(options.progress, none), [&](const codec::Progress& progress) {
              return worker->codec.decode_compact(
                  method, data.subspan(archive::kCompactOverhead),
                  limits.max_bytes == 0 ? kCompactLimit : limits.max_bytes, progress);
            });
    if (!archive::compact_content_fits(data, raw, identity)) {
      throw Error(ErrorKind::kData,
                  worker->model ? "the data is damaged or another model's: the checksum differs"
                                : "the data is damaged: the checksum differs");
    }
    give_back(std::move(worker));
    return raw;
  }

  Bytes decompress_file(ByteView archive, const Limits& limits) {
    MemorySource source(archive);
    ReadOptions read;
    static_cast<Limits&>(read) = limits;
    read.progress = options.progress;
    Reader reader(model, read, source);
    Bytes raw;
    Bytes part(std::size_t{256} << 10);
    while (const std::size_t got = reader.read(part)) {
      raw.insert(raw.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
    return raw;
  }
};

Compressor::Compressor(Model model, WriteOptions options)
    : state_(new State{std::move(model), std::move(options), {}, {}}) {}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

Bytes Compressor::compress(ByteView data) const {
  return data.size() <= kCompactLimit ? state_->compress_small(data) : state_->compress_large(data);
}

Bytes Compressor::compress(std::string_view text) const { return compress(bytes_of(text)); }

Bytes Compressor::decompress(ByteView archive, const Limits& limits) const {
  if (!archive.empty() && archive[0] == kFileMagic[0]) {
    return state_->decompress_file(archive, limits);
  }
  if (!archive::is_compact(archive)) throw Error(ErrorKind::kData, "not smll data");
  return state_->decompress_small(archive, limits);
}

std::vector<Result> Compressor::compress_many(std::span<const ByteView> texts,
                                              const Progress& progress) const {
  return api::compress_many(state_->model, state_->options, texts, progress);
}

std::vector<Result> Compressor::compress_many(std::span<const std::string_view> texts,
                                              const Progress& progress) const {
  std::vector<ByteView> views;
  views.reserve(texts.size());
  for (const std::string_view text : texts) views.push_back(bytes_of(text));
  return compress_many(views, progress);
}

std::vector<Result> Compressor::decompress_many(std::span<const ByteView> archives,
                                                const Limits& limits,
                                                const Progress& progress) const {
  return api::decompress_many(state_->model, state_->options, archives, limits, progress);
}

const Model& Compressor::model() const { return state_->model; }

}  // namespace smll
