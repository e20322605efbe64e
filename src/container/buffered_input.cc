#include "container/buffered_input.h"

#include <algorithm>
#include <utility>

#include "smll/error.h"

namespace smll::container {

bool BufferedInput::refill() {
  next_ = 0;
  filled_ = source_.read(std::span(buffer_).first(part_));
  part_ = std::min(2 * part_, kBufferSize);
  return filled_ != 0;
}

bool BufferedInput::at_end() { return available() == 0 && !refill(); }

std::uint8_t BufferedInput::next_byte() {
  if (at_end()) throw_truncated();
  ++position_;
  return buffer_[next_++];
}

ByteView BufferedInput::window(std::size_t size) {
  while (available() < size) {
    if (filled_ == buffer_.size()) make_room(size);
    const std::size_t got = source_.read(std::span(buffer_).subspan(filled_));
    if (got == 0) break;
    filled_ += got;
  }
  return ByteView(buffer_).subspan(next_, available());
}

// Moves no more bytes than were read since they were moved before, so that windows on all places of
// a source take time for its size alone; and takes no more memory than arrives.
void BufferedInput::make_room(std::size_t size) {
  if (next_ > available()) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(next_), buffer_.end(), buffer_.begin());
    filled_ -= std::exchange(next_, 0);
  } else {
    buffer_.resize(2 * std::min(buffer_.size(), size));
  }
}

void BufferedInput::put_back(ByteView bytes) {
  position_ -= bytes.size();
  if (next_ >= bytes.size()) {
    next_ -= bytes.size();
    return;
  }
  // Some of them came before the buffer was filled again.
  const ByteView rest = ByteView(buffer_).subspan(next_, available());
  Bytes joined(bytes.begin(), bytes.end());
  joined.insert(joined.end(), rest.begin(), rest.end());
  next_ = 0;
  filled_ = joined.size();
  joined.resize(std::max(joined.size(), kBufferSize));
  buffer_ = std::move(joined);
}

void BufferedInput::read(std::size_t size, Bytes& out) {
  while (size != 0) {
    if (at_end()) throw_truncated();
    const std::size_t part = std::min(size, available());
    out.insert(out.end(), buffer_.begin() + next_, buffer_.begin() + next_ + part);
    next_ += part;
    position_ += part;
    size -= part;
  }
}

void BufferedInput::skip(std::uint64_t size) {
  if (size > available() && source_.seekable()) {
    if (size > source_.size() || position_ > source_.size() - size) throw_truncated();
    seek(position_ + size);
    return;
  }
  while (size != 0) {
    if (at_end()) throw_truncated();
    const std::size_t part = std::min<std::uint64_t>(size, available());
    next_ += part;
    position_ += part;
    size -= part;
  }
}

void BufferedInput::seek(std::uint64_t offset) {
  const std::uint64_t begin = position_ - next_, end = position_ + available();
  if (offset >= begin && offset <= end) {
    source_.seek(end);
    next_ = static_cast<std::size_t>(offset - begin);
  } else {
    source_.seek(offset);
    next_ = filled_ = 0;
  }
  part_ = kFirstPart;
  position_ = offset;
}

void BufferedInput::throw_truncated() const {
  throw Error(ErrorKind::kData, "the data ends too early, at byte " + std::to_string(position_) +
                                    ": the archive was cut");
}

}  // namespace smll::container
