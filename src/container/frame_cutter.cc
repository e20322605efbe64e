#include "container/frame_cutter.h"

#include <algorithm>
#include <utility>

namespace smll::container {

FrameCutter::FrameCutter(Limits limits, Classify classify, Emit emit)
    : limits_(limits), classify_(std::move(classify)), emit_(std::move(emit)) {}

void FrameCutter::write(ByteView data) {
  while (!data.empty()) {
    const std::size_t part = std::min(data.size(), run_ + kBlock - buffer_.size());
    buffer_.insert(buffer_.end(), data.begin(), data.begin() + part);
    data = data.subspan(part);
    if (buffer_.size() == run_ + kBlock) end_block();
  }
}

void FrameCutter::flush() {
  if (buffer_.size() > run_) end_block();
  while (run_ > limit()) emit_front(good_cut(limit()));
  if (run_ != 0) emit_front(run_);
}

// Decides what to do with the block that has just become whole (or that the data ends with).
void FrameCutter::end_block() {
  const ByteView block = ByteView(buffer_).subspan(run_);
  const bool wants_model = classify_(block);
  if (run_ != 0 && wants_model != run_wants_model_) {
    while (run_ > limit()) emit_front(good_cut(limit()));
    emit_front(run_);
  }
  run_wants_model_ = wants_model;
  run_ = buffer_.size();
  // One block more than the limit is gathered, so that the cut can be at the end of a line.
  while (run_ > limit()) emit_front(good_cut(limit()));
}

void FrameCutter::emit_front(std::size_t size) {
  emit_(ByteView(buffer_).first(size));
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
  run_ -= size;
}

// The last line's end before the limit, if it is near.
std::size_t FrameCutter::good_cut(std::size_t limit) const {
  if (!run_wants_model_) return limit;
  const std::size_t least = limit - limit / 16;
  for (std::size_t size = limit; size > least; --size) {
    if (buffer_[size - 1] == '\n') return size;
  }
  return limit;
}

}  // namespace smll::container
