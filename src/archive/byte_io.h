// Little-endian integers and varints, to and from memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "codec/varint.h"
#include "smll/error.h"
#include "smll/io.h"

namespace smll::archive {

inline void put_u32(Bytes& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

inline void put_u64(Bytes& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

using codec::put_varint;

inline void put_string(Bytes& out, std::string_view text) {
  put_varint(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

template <typename Integer>
Integer load_le(const std::uint8_t* bytes) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) value |= Integer{bytes[i]} << (8 * i);
  return value;
}

// Reads a varint from `next_byte()`, which gives one byte or throws. The shortest spelling is the
// only valid one, so that an archive has one set of bytes.
template <typename NextByte>
std::uint64_t read_varint(NextByte&& next_byte) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = next_byte();
    const std::uint64_t bits = byte & 0x7F;
    if (shift == 63 && bits > 1) break;
    value |= bits << shift;
    if ((byte & 0x80) == 0) {
      if (byte == 0 && shift != 0) break;
      return value;
    }
  }
  throw Error(ErrorKind::kData, "a number in the archive is not written as it should be");
}

}  // namespace smll::archive
