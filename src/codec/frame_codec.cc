#include "codec/frame_codec.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "codec/choice.h"
#include "codec/compact_stream.h"
#include "codec/frame_decoding.h"
#include "codec/job_queue.h"
#include "codec/model_coder.h"
#include "codec/plain_coder.h"
#include "codec/plain_mixer.h"
#include "codec/record_stream.h"
#include "codec/scheduler.h"
#include "codec/size_code.h"
#include "format/limits.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

// Frames up to this size are coded with and without context models beside the model: the model's
// own work, the slow part, is done once, and where there is little to learn from, its word alone
// may be shorter.
constexpr std::size_t kTryLlmAlone = 65536;
// Frames above this size ask a sample first whether the model helps.
constexpr std::size_t kSampleAbove = 32768;
constexpr std::size_t kSamples = 3, kSampleBytes = 2048;
// A model that begins without context is this much worse than it will be (percent).
constexpr std::size_t kColdStart = 125;
// What the model makes of a frame is sure to be worth the time where it is so many times smaller
// than what zstd does: context models alone are not tried, then. They come to half of zstd's where
// a text repeats itself, and there zstd's is small, too.
constexpr std::size_t kFarBelowZstd = 2;
// No model is so far below zstd where zstd makes data so many times smaller: context models, which
// use one core, are begun beside the estimate then. Elsewhere they wait for it, since most texts do
// not need them.
constexpr std::size_t kZstdIsSmall = 6;
// Of the level that is meant to be fast.
constexpr int kFastZstdLevel = 3;
// Where that is within so many percent of the context models, repeats are all there is to gain, and
// the slow level finds more of them.
constexpr std::size_t kZstdIsNear = 110;
// So much of a frame is coded with and without common English before it; all of one that is not
// twice as long.
constexpr std::size_t kTryEnglish = 8192;
// What zstd cannot shorten and is no text is taken for random from this size on where the fast
// context models do not save a percent of these samples either: all context models would only take
// time.
constexpr std::size_t kBelieveRandom = 4096;
constexpr std::size_t kRandomSamples = 4, kRandomSampleBytes = 4096;

// `count` pieces of `bytes` each, evenly spread from the first byte to the last; all of the data
// where that is not more.
std::vector<std::uint8_t> sample_of(std::span<const std::uint8_t> data, std::size_t count,
                                    std::size_t bytes) {
  if (data.size() <= count * bytes) return {data.begin(), data.end()};
  std::vector<std::uint8_t> sample;
  for (std::size_t i = 0; i < count; ++i) {
    const auto piece = data.subspan((data.size() - bytes) * i / (count - 1), bytes);
    sample.insert(sample.end(), piece.begin(), piece.end());
  }
  return sample;
}

// Asked of data that zstd cannot shorten.
bool looks_random(std::span<const std::uint8_t> data) {
  if (data.size() < kBelieveRandom || looks_like_text(data)) return false;
  const std::vector<std::uint8_t> sample = sample_of(data, kRandomSamples, kRandomSampleBytes);
  return encode_cm(sample, format::Method::kCmFast, false, {}).size() * 100 >= sample.size() * 99;
}

// All context models, in the way that the frame's beginning is shorter with.
format::Frame encode_strong(std::span<const std::uint8_t> data, const Progress& progress) {
  const auto head = data.size() < 2 * kTryEnglish ? data : data.first(kTryEnglish);
  const Progress trying = standing_still(progress);
  format::Frame best{format::Method::kCm, data.size(),
                     encode_cm(head, format::Method::kCm, false, trying)};
  keep_smaller(best, format::Method::kCmEnglish,
               encode_cm(head, format::Method::kCmEnglish, false, trying));
  if (head.size() < data.size()) best.payload = encode_cm(data, best.method, false, progress);
  return best;
}

// Context models, where they are smaller than `best`, the slow zstd after a fast one.
void encode_plain(std::span<const std::uint8_t> data, bool hurry, format::Frame& best,
                  const Progress& progress) {
  const bool fast = hurry || data.size() > format::kMaxModelFrame;
  format::Frame cm = fast ? format::Frame{format::Method::kCmFast, data.size(),
                                          encode_cm(data, format::Method::kCmFast, false, progress)}
                          : encode_strong(data, progress);
  const bool near = best.method == format::Method::kZstd &&
                    best.payload.size() * 100 <= cm.payload.size() * kZstdIsNear;
  keep_smaller(best, cm.method, std::move(cm.payload));
  if (hurry && near) keep_smaller(best, format::Method::kZstd, encode_zstd(data, kZstdLevel));
}

// Of a frame with the model.
struct Estimate {
  std::size_t bytes = 0;
  std::size_t at_most = 0;  // bytes, if the model did not get better after the sample
  bool worth_the_time = false;
};

}  // namespace

struct FrameCodec::State {
  std::shared_ptr<const LoadedModel> model;
  std::uint64_t max_memory = 0;

  void need_model() const {
    if (model) return;
    throw Error(ErrorKind::kModel,
                "a frame of the archive needs a language model and none was given");
  }

  // Of the model, beside which work of frames may be done.
  int threads() const {
    return model->options().backend == Backend::kExact ? model->options().threads : 1;
  }

  void run_model(ModelledFrame& frame, FrameStats* stats, const Progress& progress,
                 bool may_learn = true, const Meanwhile& meanwhile = {}) const {
    RecordStream stream(frame, model->vocabulary(), meanwhile);
    model->scheduler(may_learn).run(stream, progress);
    if (stats) add_stats(stream, *stats);
  }

  std::vector<std::uint8_t> encode(const ModelledFrame& frame, format::Method method,
                                   const Progress& progress) const {
    return FrameEncoder(frame, model->vocabulary(), mixed_experts(method)).finish(progress);
  }

  std::vector<std::uint8_t> decode(const FrameDecoding::Payload& payload, FrameStats* stats,
                                   const Progress& progress) const {
    need_model();
    // Nobody uses the payload once it has been waited for.
    FrameDecoding decoding(model, payload);
    format::check_memory(decoding.memory(), max_memory);
    decoding.start(&decoding);
    return decoding.finish(stats, progress);
  }

  // What a frame is likely to take with the model, and whether it is worth the time, from pieces of
  // all of it.
  Estimate estimate(std::span<const std::uint8_t> data, FrameStats& stats,
                    const Progress& progress) {
    const std::vector<std::uint8_t> sample = sample_of(data, kSamples, kSampleBytes);
    ModelledFrame frame = cut_frame(sample, 1, *model, nullptr);
    run_model(frame, &stats, progress, /*may_learn=*/false);
    const std::size_t alone = encode(frame, format::Method::kLlm, progress).size();
    format::Frame best{format::Method::kCm, sample.size(),
                       encode_cm(sample, format::Method::kCm, false, progress)};
    keep_if_worth(best, format::Method::kMixed, encode(frame, format::Method::kMixed, progress),
                  frame.units());
    const std::size_t all = alone * data.size() / sample.size();
    return {all * 100 / kColdStart, all, format::needs_model(best.method)};
  }

  // Context models, unless the model is sure to be far better. False where the model need not be
  // tried.
  bool try_plain(std::span<const std::uint8_t> data, bool with_model, bool hurry,
                 format::Frame& best, FrameStats* stats, const Progress& progress) {
    if (!with_model || data.size() <= kSampleAbove) {
      encode_plain(data, hurry, best, with_model ? standing_still(progress) : progress);
      return true;
    }
    const bool beside = best.payload.size() * kZstdIsSmall < data.size();
    JobQueue<format::Frame> trial(beside ? threads() : 1);
    trial.start(data.size(), false, [&](const Progress& trying) {
      format::Frame tried = best;
      encode_plain(data, hurry, tried, trying);
      return tried;
    });
    FrameStats estimate_stats;
    const Estimate with = estimate(data, estimate_stats, standing_still(progress));
    if (stats) stats->model_seconds += estimate_stats.model_seconds;
    if (!with.worth_the_time || with.at_most * kFarBelowZstd > best.payload.size()) {
      best = trial.finish(standing_still(progress));
    }
    return with.worth_the_time && with.bytes <= best.payload.size();
  }

  void try_model(std::span<const std::uint8_t> data, const FrameOptions& options,
                 format::Frame& best, FrameStats* stats, const Progress& progress) {
    const bool only_model = options.experts == Experts::kLlm;
    const int lanes =
        options.lanes > 0 ? std::min(options.lanes, format::kMaxLanes) : lanes_for(data.size());
    need_model();
    ModelledFrame frame =
        cut_frame(data, std::min(lanes, model->max_lanes()), *model, model->opening());
    const Progress at_the_end = standing_still(progress, data.size(), frame.units());
    if (only_model) {
      run_model(frame, stats, progress);
      return keep_smaller(best, format::Method::kLlm,
                          encode(frame, format::Method::kLlm, at_the_end));
    }
    FrameEncoder mixed(frame, model->vocabulary(), mixed_experts(format::Method::kMixed));
    run_model(frame, stats, progress, /*may_learn=*/true,
              [&](std::span<const std::size_t> recorded) { mixed.advance(recorded); });
    if (data.size() <= kTryLlmAlone) {
      keep_if_worth(best, format::Method::kLlm, encode(frame, format::Method::kLlm, at_the_end),
                    frame.units());
    }
    keep_if_worth(best, format::Method::kMixed, mixed.finish(at_the_end), frame.units());
  }
};

FrameCodec::FrameCodec(std::shared_ptr<const LoadedModel> model)
    : state_(std::make_unique<State>()) {
  state_->model = std::move(model);
}
FrameCodec::~FrameCodec() = default;
FrameCodec::FrameCodec(FrameCodec&&) noexcept = default;
FrameCodec& FrameCodec::operator=(FrameCodec&&) noexcept = default;

void FrameCodec::limit_memory(std::uint64_t bytes) { state_->max_memory = bytes; }

std::uint64_t FrameCodec::memory(format::Method method, std::size_t raw_size) {
  return method == format::Method::kStored || method == format::Method::kZstd
             ? raw_size
             : PlainMixer::memory(method, raw_size);
}

bool FrameCodec::wants_model(std::span<const std::uint8_t> data, const FrameOptions& options) {
  if (options.experts == Experts::kCm || options.experts == Experts::kCmFast || data.empty())
    return false;
  return options.experts == Experts::kLlm || looks_like_text(data);
}

format::Frame FrameCodec::encode(std::span<const std::uint8_t> data, const FrameOptions& options,
                                 FrameStats* stats, const Progress& progress) {
  if (data.size() > format::kMaxFrame) throw Error(ErrorKind::kData, "a frame is too large");
  if (stats) *stats = {};
  format::Frame best{format::Method::kStored, data.size(), {data.begin(), data.end()}};
  if (data.empty()) return best;
  const bool model = data.size() <= format::kMaxModelFrame && wants_model(data, options);
  if (options.experts != Experts::kLlm) {
    const bool hurry = options.experts == Experts::kCmFast;
    keep_smaller(best, format::Method::kZstd,
                 encode_zstd(data, hurry ? kFastZstdLevel : kZstdLevel));
    if (best.method == format::Method::kStored && looks_random(data)) return best;
    if (!state_->try_plain(data, model, hurry, best, stats, progress)) return best;
  }
  if (model) state_->try_model(data, options, best, stats, progress);
  return best;
}

std::vector<std::uint8_t> FrameCodec::decode(format::Method method, std::size_t raw_size,
                                             std::span<const std::uint8_t> payload,
                                             FrameStats* stats, const Progress& progress) {
  if (stats) *stats = {};
  check_frame_size(method, raw_size);
  switch (method) {
    case format::Method::kStored:
      if (payload.size() != raw_size) {
        throw Error(ErrorKind::kData, "the archive is damaged: a stored frame has another size");
      }
      return {payload.begin(), payload.end()};
    case format::Method::kZstd:
      format::check_memory(raw_size, state_->max_memory);
      return decode_zstd(payload, raw_size);
    case format::Method::kCmFast:
    case format::Method::kCm:
    case format::Method::kCmEnglish:
      return decode_cm(payload, raw_size, method, false, progress, state_->max_memory);
    case format::Method::kLlm:
    case format::Method::kMixed:
      return state_->decode({method, raw_size, payload, nullptr}, stats, progress);
  }
  throw Error(ErrorKind::kData, "the archive is damaged, or of a newer version: unknown method");
}

CompactText FrameCodec::encode_compact(std::span<const std::uint8_t> data, Experts experts,
                                       const Progress& progress) {
  CompactEncoder encoder(data, experts, state_->model);
  if (encoder.begin(progress)) {
    state_->model->scheduler().run(encoder, progress);
    encoder.end(progress);
  }
  return encoder.take();
}

std::vector<std::uint8_t> FrameCodec::decode_short(std::span<const std::uint8_t> payload,
                                                   std::size_t limit, const Progress& progress) {
  return state_->decode(
      {format::Method::kMixed, std::min(limit, kMaxCompact), payload, nullptr, true}, nullptr,
      progress);
}

std::vector<std::uint8_t> FrameCodec::decode_compact(format::Method method,
                                                     std::span<const std::uint8_t> payload,
                                                     std::size_t limit, const Progress& progress) {
  limit = std::min(limit, kMaxCompact);
  switch (method) {
    case format::Method::kStored:
      format::check_size(payload.size(), limit);
      return {payload.begin(), payload.end()};
    case format::Method::kZstd: {
      const std::size_t size = zstd_size(payload, kMaxCompact);
      format::check_size(size, limit);
      return decode_zstd(payload, size);
    }
    case format::Method::kCmFast:
    case format::Method::kCm:
    case format::Method::kCmEnglish:
      return decode_cm(payload, limit, method, true, progress, state_->max_memory);
    case format::Method::kLlm:
    case format::Method::kMixed:
      break;  // short texts are what a model codes
  }
  throw Error(ErrorKind::kData, "the archive is damaged, or of a newer version: unknown method");
}

}  // namespace smll::codec
