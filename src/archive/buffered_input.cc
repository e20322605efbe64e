#include "archive/buffered_input.h"

#include <algorithm>
#include <utility>

#include "smll/error.h"

namespace smll::archive {

bool BufferedInput::refill() {
  next_ = 0;
  filled_ = source_.read(buffer_);
  return filled_ != 0;
}

bool BufferedInput::at_end() { return available() == 0 && !refill(); }

std::uint8_t BufferedInput::next_byte() {
  if (at_end()) throw_truncated();
  ++position_;
  return buffer_[next_++];
}

ByteView BufferedInput::window(std::size_t size) {
  if (available() < size) {
    std::copy(buffer_.begin() + next_, buffer_.begin() + filled_, buffer_.begin());
    filled_ -= next_;
    next_ = 0;
    if (buffer_.size() < size) buffer_.resize(size);
  }
  while (available() < size) {
    const std::size_t got = source_.read(std::span(buffer_).subspan(filled_));
    if (got == 0) break;
    filled_ += got;
  }
  return ByteView(buffer_).subspan(next_, available());
}

void BufferedInput::put_back(ByteView bytes) {
  const ByteView rest = ByteView(buffer_).subspan(next_, available());
  Bytes joined(bytes.begin(), bytes.end());
  joined.insert(joined.end(), rest.begin(), rest.end());
  next_ = 0;
  filled_ = joined.size();
  joined.resize(std::max(joined.size(), kBufferSize));
  buffer_ = std::move(joined);
  position_ -= bytes.size();
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
  source_.seek(offset);
  position_ = offset;
  next_ = filled_ = 0;
}

void BufferedInput::throw_truncated() const {
  throw Error(ErrorKind::kData, "the data ends too early, at byte " + std::to_string(position_) +
                                    ": the archive was cut");
}

}  // namespace smll::archive
