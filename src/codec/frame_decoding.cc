#include "codec/frame_decoding.h"

#include <utility>

#include "codec/decode_stream.h"
#include "codec/opening.h"
#include "smll/error.h"

namespace smll::codec {

mix::Sources mixed_experts(format::Method method) {
  return method == format::Method::kLlm ? mix::Sources::kLlm : mix::Sources::kAll;
}

void check_frame_size(format::Method method, std::size_t raw_size) {
  if (raw_size <= format::max_frame(method)) return;
  throw Error(ErrorKind::kData, "the archive is damaged: a frame is larger than the format allows");
}

void add_stats(const Stream& stream, FrameStats& stats) {
  stats.lanes = static_cast<int>(stream.lanes());
  stats.tokens += stream.tokens();
  stats.guesses += stream.guesses();
  stats.guesses_right += stream.guesses_right();
  stats.model_seconds += stream.model_seconds();
}

// A stream with what it reads.
class FrameDecoding::Work : public DecodeStream {
 public:
  Work(const Payload& payload, const LoadedModel& model)
      : DecodeStream(
            payload.bytes, payload.raw_size, model.vocabulary(),
            {mixed_experts(payload.method), model.max_lanes(), model.opening(), model.on_gpu()}),
        owner_(payload.owner) {}
  // A short text.
  Work(std::span<const std::uint8_t> payload, std::size_t limit, const LoadedModel& model)
      : DecodeStream(payload, limit, model.vocabulary(),
                     {model.short_odds(), [&model](const ShortHead& head) {
                        if (head.opening != kNoOpening && !model.has_openings()) {
                          throw Error(ErrorKind::kData,
                                      "the data is damaged: its backend has no openings");
                        }
                        return model.opening_of_short(head.opening);
                      }}) {}

  std::uint64_t memory() const override { return memory_; }
  void set_memory(std::uint64_t memory) { memory_ = memory; }

 private:
  const std::shared_ptr<const void> owner_;
  std::uint64_t memory_ = 0;
};

FrameDecoding::FrameDecoding(std::shared_ptr<const LoadedModel> model, const Payload& payload)
    : model_(std::move(model)) {
  if (!payload.is_short) check_frame_size(payload.method, payload.raw_size);
  work_ = payload.is_short ? std::make_shared<Work>(payload.bytes, payload.raw_size, *model_)
                           : std::make_shared<Work>(payload, *model_);
  std::size_t bytes = 0;
  for (const mix::LaneExtent& lane : work_->extents()) {
    lanes_.push_back(lane.size);
    bytes += lane.size;
  }
  const Opening* opening = model_->opening();
  const std::uint64_t mixer =
      opening ? opening->mixer_memory(work_->experts(), bytes)
              : mix::FrameMixer::memory(work_->experts(), mix::Strength::kStrong, bytes);
  opening_memory_ = model_->opening_memory(payload.is_short);
  own_memory_ = mixer + DecodeStream::memory(lanes_, model_->vocabulary().rows());
  // A token has hardly less than two bytes.
  std::uint64_t contexts = 0;
  for (const std::size_t lane : lanes_) contexts += model_->context_memory(lane / 2);
  work_->set_memory(own_memory_ + contexts);
}

FrameDecoding::~FrameDecoding() {
  if (!ticket_) return;
  cancel();
  try {
    finish(nullptr, {});
  } catch (...) {
    // It was cancelled; if it had failed before, nobody asks.
  }
}

std::uint64_t FrameDecoding::memory() const {
  return own_memory_ + model_->decoding_memory(lanes_) + opening_memory_;
}

void FrameDecoding::start(const void* caller) {
  ticket_ = model_->scheduler().submit(work_, caller);
}

void FrameDecoding::cancel() {
  if (ticket_) Scheduler::cancel(ticket_);
}

std::size_t FrameDecoding::bytes() const { return work_->bytes(); }
std::uint64_t FrameDecoding::tokens() const { return work_->tokens(); }

std::vector<std::uint8_t> FrameDecoding::finish(FrameStats* stats, const Progress& progress) {
  const std::shared_ptr<Scheduler::Ticket> ticket = std::exchange(ticket_, nullptr);
  model_->scheduler().wait(ticket, progress);
  if (stats) add_stats(*work_, *stats);
  return work_->take_data();
}

}  // namespace smll::codec
