// A source read through a buffer, with its position known.
#pragma once

#include <cstdint>

#include "smll/io.h"

namespace smll::container {

class BufferedInput {
 public:
  explicit BufferedInput(Source& source) : source_(source), buffer_(kBufferSize) {}

  // Offset, from where the source began, of the next byte.
  std::uint64_t position() const { return position_; }
  bool at_end();
  // True when there is no need to wait for the next byte, or for the news that there is none.
  bool ready() const { return available() != 0 || source_.ready(); }
  // The next byte, which stays; the source must not be at its end.
  std::uint8_t peek() const { return buffer_[next_]; }
  // Throws Error(kData) at the end of the source.
  std::uint8_t next_byte();
  // The next bytes, which stay: at least `size`, or all that are left. Holds them in memory.
  ByteView window(std::size_t size);
  // Gives back what was read last, and nothing was sought since.
  void put_back(ByteView bytes);
  // Appends exactly `size` bytes to `out`; allocates no more than arrives, whatever `size` claims.
  void read(std::size_t size, Bytes& out);
  void skip(std::uint64_t size);
  // Only where the source is seekable. What others did to the source's position does not matter.
  void seek(std::uint64_t offset);

  Source& source() { return source_; }

 private:
  static constexpr std::size_t kBufferSize = std::size_t{64} << 10;
  // Asked for first where it was sought to, and then twice as much each time: from far away only
  // what is needed should come.
  static constexpr std::size_t kFirstPart = std::size_t{4} << 10;
  std::size_t available() const { return filled_ - next_; }
  bool refill();
  // For more bytes behind those that are there.
  void make_room(std::size_t size);
  [[noreturn]] void throw_truncated() const;

  Source& source_;
  Bytes buffer_;
  std::size_t next_ = 0;
  std::size_t filled_ = 0;
  std::size_t part_ = kBufferSize;
  std::uint64_t position_ = 0;
};

}  // namespace smll::container
