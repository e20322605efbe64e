#include <utility>

#include "api/compact_checks.h"
#include "api/frame_progress.h"
#include "api/internals.h"
#include "api/many.h"
#include "api/time_limit.h"
#include "codec/frame_codec.h"
#include "codec/size_code.h"
#include "format/compact.h"
#include "smll/smll.h"

namespace smll {

static_assert(kCompactLimit == codec::kMaxCompact, "what is promised must be what can be coded");
namespace {

ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct Compressor::State {
  Model model;
  WriteOptions options;

  Bytes compress_small(ByteView data) {
    const codec::FrameOptions frame_options = {options.experts, options.lanes};
    const bool with_model = codec::FrameCodec::wants_model(data, frame_options);
    const api::LoadedModelPtr loaded =
        with_model ? Internals::source(model).for_writing() : nullptr;
    const Stats none;
    const codec::CompactText text = codec::FrameCodec(loaded).encode_compact(
        data, frame_options.experts, api::frame_progress(options.progress, none));
    return api::pack(text, data, loaded);
  }

  Bytes compress_large(ByteView data) {
    MemorySink sink;
    Writer writer(model, options, sink);
    writer.write(data);
    writer.finish();
    return sink.take();
  }

  Bytes decompress_small(ByteView data, const Limits& limits) {
    const bool with_model = api::needs_model(data);
    const api::LoadedModelPtr loaded =
        with_model ? Internals::source(model).for_reading_compact() : nullptr;
    codec::FrameCodec codec(loaded);
    codec.limit_memory(limits.max_memory);
    const Stats none;
    Bytes raw =
        api::TimeLimit(limits.max_seconds)
            .run(api::frame_progress(options.progress, none), [&](const codec::Progress& progress) {
              const std::size_t limit = limits.max_bytes == 0 ? kCompactLimit : limits.max_bytes;
              if (format::is_short(data)) {
                return codec.decode_short(data.subspan(format::kShortOverhead), limit, progress);
              }
              return codec.decode_compact(format::compact_method(data),
                                          data.subspan(format::kCompactOverhead), limit, progress);
            });
    return api::checked(data, std::move(raw), loaded);
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
    : state_(new State{std::move(model), std::move(options)}) {}
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
  api::check_form(archive);
  return api::decoded(archive, [&] { return state_->decompress_small(archive, limits); });
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
