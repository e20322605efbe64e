#include "codec/compact_stream.h"

#include <utility>

#include "codec/choice.h"
#include "codec/frame_decoding.h"
#include "codec/plain_coder.h"
#include "codec/size_code.h"
#include "smll/error.h"

namespace smll::codec {

CompactEncoder::CompactEncoder(std::span<const std::uint8_t> data, Experts experts,
                               std::shared_ptr<const LoadedModel> model)
    : data_(data),
      experts_(experts),
      model_(FrameCodec::wants_model(data, {experts, 1}) ? std::move(model) : nullptr) {
  if (data.size() > kMaxCompact) throw Error(ErrorKind::kData, "a compact text is too large");
}

CompactEncoder::~CompactEncoder() = default;

format::Frame CompactEncoder::take() { return std::move(best_); }

std::size_t CompactEncoder::rows() const { return model_part_ ? model_part_->rows() : 1; }

// A token has hardly less than two bytes.
std::uint64_t CompactEncoder::memory() const {
  return model_ ? model_->context_memory(data_.size() / 2) : 0;
}

bool CompactEncoder::begin(const Progress& progress) {
  best_ = {format::Method::kStored, data_.size(), {data_.begin(), data_.end()}};
  if (data_.empty()) return false;
  if (experts_ != Experts::kLlm) {
    const Progress first = standing_still(progress);
    keep_smaller(best_, format::Method::kZstd, encode_zstd(data_, kZstdLevel));
    keep_smaller(best_, format::Method::kCm, encode_cm(data_, format::Method::kCm, true, first));
    // Reading English takes longer than the model takes for a sentence, and helps less.
    if (!model_) {
      keep_smaller(best_, format::Method::kCmEnglish,
                   encode_cm(data_, format::Method::kCmEnglish, true, first));
    }
  }
  if (!model_) return false;
  frame_ = cut_frame(data_, 1, *model_, model_->opening());
  model_part_.emplace(frame_, model_->vocabulary());
  return true;
}

void CompactEncoder::advance(std::size_t part) {
  model_part_->advance(part);
  bytes_ = model_part_->bytes();
  tokens_ = model_part_->tokens();
}

void CompactEncoder::end(const Progress& progress) {
  if (!model_part_) return;
  const Progress at_the_end = standing_still(progress, data_.size(), frame_.units());
  std::vector<std::uint8_t> alone = encode(format::Method::kLlm, at_the_end);
  if (experts_ == Experts::kLlm) return keep_smaller(best_, format::Method::kLlm, std::move(alone));
  keep_if_worth(best_, format::Method::kLlm, std::move(alone), frame_.units());
  keep_if_worth(best_, format::Method::kMixed, encode(format::Method::kMixed, at_the_end),
                frame_.units());
}

std::vector<std::uint8_t> CompactEncoder::encode(format::Method method,
                                                 const Progress& progress) const {
  return FrameEncoder(frame_, model_->vocabulary(), mixed_experts(method), true).finish(progress);
}

CompactPlainDecoder::CompactPlainDecoder(format::Method method,
                                         std::span<const std::uint8_t> payload, std::size_t limit,
                                         std::uint64_t max_memory)
    : method_(method), payload_(payload), limit_(limit), max_memory_(max_memory) {}

bool CompactPlainDecoder::begin(const Progress& progress) {
  FrameCodec codec(nullptr);
  codec.limit_memory(max_memory_);
  data_ = codec.decode_compact(method_, payload_, limit_, progress);
  return false;
}

}  // namespace smll::codec
