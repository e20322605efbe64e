// Unsigned LEB128 integers (DWARF 4, section 7.6): seven bits a byte, least significant first.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smll/error.h"

namespace smll::codec {

inline void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

// Takes a number from the front of `in`. Throws Error(kData) when `in` ends first or the number has
// over 63 bits.
inline std::uint64_t take_varint(std::span<const std::uint8_t>& in) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 63; shift += 7) {
    if (in.empty()) break;
    const std::uint8_t byte = in.front();
    in = in.subspan(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  throw Error(ErrorKind::kData, "the archive is damaged: a number in a frame is cut or too large");
}

}  // namespace smll::codec
