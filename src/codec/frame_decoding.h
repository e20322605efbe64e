// A frame that is decoded with the language model, beside other frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "codec/frame_codec.h"
#include "codec/loaded_model.h"
#include "codec/progress.h"
#include "codec/scheduler.h"
#include "codec/stream.h"
#include "mix/frame_mixer.h"

namespace smll::codec {

// With which predictions a method that needs the model mixes.
mix::Sources mixed_experts(format::Method method);
// Throws Error(kData) for more bytes than a frame of that method may have.
void check_frame_size(format::Method method, std::size_t raw_size);
// Adds what a stream that is done has to tell.
void add_stats(const Stream& stream, FrameStats& stats);

// Used by one thread, which waits for it in the end: by finish() or the destructor.
class FrameDecoding {
 public:
  struct Payload {
    format::Method method;  // one that needs the model; a short text tells it itself
    std::size_t raw_size;   // of a short text: at most
    std::span<const std::uint8_t> bytes;
    std::shared_ptr<const void> owner;  // of the bytes; null where they live long enough
    bool is_short = false;              // a short text's, otherwise a frame's
  };
  // Takes little memory and starts nothing. Throws Error(kData).
  FrameDecoding(std::shared_ptr<const LoadedModel> model, const Payload& payload);
  // What was started and not finished is cancelled.
  ~FrameDecoding();
  FrameDecoding(const FrameDecoding&) = delete;
  FrameDecoding& operator=(const FrameDecoding&) = delete;

  // Bytes of text of each lane.
  const std::vector<std::size_t>& lanes() const { return lanes_; }
  // Bytes, at most, that it takes besides the model: in all where it is decoded alone, and without
  // the predictors, which frames share.
  std::uint64_t memory() const;
  std::uint64_t own_memory() const { return own_memory_; }

  // Has the model's scheduler decode it whenever somebody waits for it or others. Frames of one
  // `caller` begin in the order of their starts.
  void start(const void* caller);
  // Tells what was started that nobody will wait for its data. Does not wait itself.
  void cancel();
  // So far.
  std::size_t bytes() const;
  std::uint64_t tokens() const;
  // The data, once. `progress` may throw to cancel. Throws Error(kData) when the payload is not a
  // valid one; a damaged one may also give wrong bytes.
  std::vector<std::uint8_t> finish(FrameStats* stats, const Progress& progress);

 private:
  class Work;

  const std::shared_ptr<const LoadedModel> model_;
  std::vector<std::size_t> lanes_;
  std::uint64_t own_memory_ = 0, opening_memory_ = 0;
  // The model, which owns the scheduler, is not the work's: its last owner must not be a thread
  // that the scheduler waits for.
  std::shared_ptr<Work> work_;
  std::shared_ptr<Scheduler::Ticket> ticket_;  // null before start() and once it is waited for
};

}  // namespace smll::codec
