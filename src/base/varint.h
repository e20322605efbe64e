// Unsigned LEB128 integers (DWARF 4, section 7.6): seven bits a byte, least significant first. The
// shortest spelling of a number is the only valid one, so that an archive has one set of bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smll/error.h"

namespace smll {

inline void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

// Reads a number from `next_byte()`, which gives one byte or throws. Throws Error(kData) for one
// that put_varint() does not write.
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

// Takes a number from the front of `in`. Throws Error(kData) also when `in` ends first.
inline std::uint64_t take_varint(std::span<const std::uint8_t>& in) {
  return read_varint([&in] {
    if (in.empty()) throw Error(ErrorKind::kData, "the archive is damaged: a number is cut");
    const std::uint8_t byte = in.front();
    in = in.subspan(1);
    return byte;
  });
}

}  // namespace smll
