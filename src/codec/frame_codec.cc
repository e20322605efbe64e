#include "codec/frame_codec.h"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/model_coder.h"
#include "codec/plain_coder.h"
#include "codec/size_code.h"
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
constexpr int kZstdLevel = 19;
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
// From so many lanes on, two predictors decode half of them each.
constexpr int kSplitLanes = 16;

mix::Experts experts(Method method) {
  return method == Method::kLlm ? mix::Experts::kLlm : mix::Experts::kAll;
}

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
  return encode_cm(sample, Method::kCmFast, false, {}).size() * 100 >= sample.size() * 99;
}

void keep_smaller(Frame& best, Method method, std::vector<std::uint8_t> payload) {
  if (payload.size() >= best.payload.size()) return;
  best.method = method;
  best.payload = std::move(payload);
}

// All context models, in the way that the frame's beginning is shorter with.
Frame encode_strong(std::span<const std::uint8_t> data, const Progress& progress) {
  const auto head = data.size() < 2 * kTryEnglish ? data : data.first(kTryEnglish);
  Frame best{Method::kCm, data.size(), encode_cm(head, Method::kCm, false, {})};
  keep_smaller(best, Method::kCmEnglish, encode_cm(head, Method::kCmEnglish, false, {}));
  if (head.size() < data.size()) best.payload = encode_cm(data, best.method, false, progress);
  return best;
}

}  // namespace

struct FrameCodec::State {
  std::shared_ptr<const LoadedModel> model;
  std::unique_ptr<Predictor> predictor;
  std::array<std::unique_ptr<Predictor>, 2> halves;  // for decoding many lanes

  void need_model() const {
    if (model) return;
    throw Error(ErrorKind::kModel,
                "a frame of the archive needs a language model and none was given");
  }

  Predictor& use_predictor() {
    need_model();
    if (!predictor) predictor = model->make_predictor();
    return *predictor;
  }

  // Half the lanes each, where that leaves enough of them for both: then one half's units are
  // decoded while the other's model runs, and what waits for memory meets what does not.
  std::vector<Predictor*> predictors_for(int lanes) {
    const int threads = model->free_threads();
    if (threads < 2 || lanes < kSplitLanes) return {&use_predictor()};
    if (!halves[0]) {
      halves[0] = model->make_predictor(threads - threads / 2);
      halves[1] = model->make_predictor(threads / 2);
    }
    return {halves[0].get(), halves[1].get()};
  }

  ModelledFrame run_model(std::span<const std::uint8_t> data, int lanes, FrameStats* stats,
                          const Progress& progress) {
    Predictor& p = use_predictor();
    return model_frame(data, lanes, *model, p, stats, progress);
  }

  std::vector<std::uint8_t> decode(std::span<const std::uint8_t> payload, std::size_t raw_size,
                                   Method method, bool compact, FrameStats* stats,
                                   const Progress& progress) {
    need_model();
    return decode_modelled(
        payload, raw_size, *model, [this](int lanes) { return predictors_for(lanes); },
        experts(method), compact, stats, progress);
  }

  // Whether pieces from the whole frame take fewer bytes with the model than its share of `other`
  // bytes.
  bool sample_wins(std::span<const std::uint8_t> data, std::size_t other, FrameStats* stats) {
    const std::vector<std::uint8_t> sample = sample_of(data, kSamples, kSampleBytes);
    const ModelledFrame frame = run_model(sample, 1, stats, {});
    const std::size_t size = encode_modelled(frame, *model, mix::Experts::kLlm, false).size();
    return size * 100 / kColdStart * data.size() <= other * sample.size();
  }

  void try_model(std::span<const std::uint8_t> data, const FrameOptions& options, Frame& best,
                 FrameStats* stats, const Progress& progress) {
    const bool only_model = options.experts == Experts::kLlm;
    if (!only_model && data.size() > kSampleAbove) {
      FrameStats sample_stats;
      const bool wins = sample_wins(data, best.payload.size(), &sample_stats);
      if (stats) stats->model_seconds += sample_stats.model_seconds;
      if (!wins) return;
    }
    const int lanes =
        options.lanes > 0 ? std::min(options.lanes, kMaxLanes) : lanes_for(data.size());
    const ModelledFrame frame = run_model(data, lanes, stats, progress);
    if (only_model || data.size() <= kTryLlmAlone) keep_modelled(best, Method::kLlm, frame, false);
    if (!only_model) keep_modelled(best, Method::kMixed, frame, false);
  }

  void keep_modelled(Frame& best, Method method, const ModelledFrame& frame, bool compact) const {
    keep_smaller(best, method, encode_modelled(frame, *model, experts(method), compact));
  }
};

FrameCodec::FrameCodec(std::shared_ptr<const LoadedModel> model)
    : state_(std::make_unique<State>()) {
  state_->model = std::move(model);
}
FrameCodec::~FrameCodec() = default;
FrameCodec::FrameCodec(FrameCodec&&) noexcept = default;
FrameCodec& FrameCodec::operator=(FrameCodec&&) noexcept = default;

bool FrameCodec::wants_model(std::span<const std::uint8_t> data, const FrameOptions& options) {
  if (options.experts == Experts::kCm || options.experts == Experts::kCmFast || data.empty())
    return false;
  return options.experts == Experts::kLlm || looks_like_text(data);
}

Frame FrameCodec::encode(std::span<const std::uint8_t> data, const FrameOptions& options,
                         FrameStats* stats, const Progress& progress) {
  if (data.size() > kMaxFrame) throw Error(ErrorKind::kData, "a frame is too large");
  if (stats) *stats = {};
  Frame best{Method::kStored, data.size(), {data.begin(), data.end()}};
  if (data.empty()) return best;
  const bool model = data.size() <= kMaxModelFrame && wants_model(data, options);
  if (options.experts != Experts::kLlm) {
    const bool hurry = options.experts == Experts::kCmFast;
    keep_smaller(best, Method::kZstd, encode_zstd(data, hurry ? kFastZstdLevel : kZstdLevel));
    if (best.method == Method::kStored && looks_random(data)) return best;
    const bool fast = hurry || data.size() > kMaxModelFrame;
    const Progress& shown = model ? Progress{} : progress;
    Frame cm =
        fast ? Frame{Method::kCmFast, data.size(), encode_cm(data, Method::kCmFast, false, shown)}
             : encode_strong(data, shown);
    const bool near = best.method == Method::kZstd &&
                      best.payload.size() * 100 <= cm.payload.size() * kZstdIsNear;
    keep_smaller(best, cm.method, std::move(cm.payload));
    if (hurry && near) keep_smaller(best, Method::kZstd, encode_zstd(data, kZstdLevel));
  }
  if (model) state_->try_model(data, options, best, stats, progress);
  return best;
}

std::vector<std::uint8_t> FrameCodec::decode(Method method, std::size_t raw_size,
                                             std::span<const std::uint8_t> payload,
                                             FrameStats* stats, const Progress& progress) {
  if (stats) *stats = {};
  if (raw_size > (needs_model(method) ? kMaxModelFrame : kMaxFrame)) {
    throw Error(ErrorKind::kData,
                "the archive is damaged: a frame is larger than the format allows");
  }
  switch (method) {
    case Method::kStored:
      if (payload.size() != raw_size) {
        throw Error(ErrorKind::kData, "the archive is damaged: a stored frame has another size");
      }
      return {payload.begin(), payload.end()};
    case Method::kZstd:
      return decode_zstd(payload, raw_size);
    case Method::kCmFast:
    case Method::kCm:
    case Method::kCmEnglish:
      return decode_cm(payload, raw_size, method, false, progress);
    case Method::kLlm:
    case Method::kMixed:
      return state_->decode(payload, raw_size, method, false, stats, progress);
  }
  throw Error(ErrorKind::kData, "the archive is damaged, or of a newer version: unknown method");
}

Frame FrameCodec::encode_compact(std::span<const std::uint8_t> data, Experts experts) {
  if (data.size() > kMaxCompact) throw Error(ErrorKind::kData, "a compact text is too large");
  Frame best{Method::kStored, data.size(), {data.begin(), data.end()}};
  if (data.empty()) return best;
  const bool model = state_->model && wants_model(data, {experts, 1});
  if (experts != Experts::kLlm) {
    keep_smaller(best, Method::kZstd, encode_zstd(data, kZstdLevel));
    keep_smaller(best, Method::kCm, encode_cm(data, Method::kCm, true, {}));
    // Reading English takes longer than the model takes for a sentence, and helps less.
    if (!model)
      keep_smaller(best, Method::kCmEnglish, encode_cm(data, Method::kCmEnglish, true, {}));
  }
  if (model) {
    const ModelledFrame frame = state_->run_model(data, 1, nullptr, {});
    state_->keep_modelled(best, Method::kLlm, frame, true);
    if (experts != Experts::kLlm) state_->keep_modelled(best, Method::kMixed, frame, true);
  }
  return best;
}

std::vector<std::uint8_t> FrameCodec::decode_compact(Method method,
                                                     std::span<const std::uint8_t> payload,
                                                     std::size_t limit) {
  limit = std::min(limit, kMaxCompact);
  switch (method) {
    case Method::kStored:
      check_size(payload.size(), limit);
      return {payload.begin(), payload.end()};
    case Method::kZstd: {
      const std::size_t size = zstd_size(payload, kMaxCompact);
      check_size(size, limit);
      return decode_zstd(payload, size);
    }
    case Method::kCmFast:
    case Method::kCm:
    case Method::kCmEnglish:
      return decode_cm(payload, limit, method, true, {});
    case Method::kLlm:
    case Method::kMixed:
      return state_->decode(payload, limit, method, true, nullptr, {});
  }
  throw Error(ErrorKind::kData, "the archive is damaged, or of a newer version: unknown method");
}

}  // namespace smll::codec
