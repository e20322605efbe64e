// The size of a small text as decisions of the range coder: for payloads that must tell it
// themselves.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "format/limits.h"

namespace smll::codec {

// Largest size of a compact payload.
inline constexpr std::size_t kMaxCompact = (std::size_t{1} << 16) - 1;

// P(no more significant bits) * 65536 after 0, 1, ... bits.
using SizeOdds = std::array<std::uint16_t, 16>;
// With sentences and paragraphs in mind.
inline constexpr SizeOdds kUsualSizes = {1024,  1024,  1500,  2000,  4000,  9000,  18000, 22000,
                                         22000, 26000, 26000, 26000, 30000, 30000, 30000, 30000};

// Codes a number of significant bits, in unary.
template <class Coder>
unsigned code_bits(Coder& coder, unsigned known, const SizeOdds& odds) {
  unsigned bits = 0;
  while (bits < odds.size() && !coder.code(odds[bits], bits == known)) ++bits;
  return bits;
}

// Codes the number of significant bits, then the bits below the first, all alike. With kUsualSizes
// 100 bytes take 9.4 bits, 1,000 take 11.3.
template <class Coder>
std::size_t code_size(Coder& coder, std::size_t size, const SizeOdds& odds = kUsualSizes) {
  const unsigned width = code_bits(coder, static_cast<unsigned>(std::bit_width(size)), odds);
  std::size_t value = width > 0 ? 1 : 0;
  for (unsigned i = width; i-- > 1;) {
    value = value << 1 | static_cast<std::size_t>(coder.code(32768, size >> (i - 1) & 1));
  }
  return value;
}

// Decodes a size before anything of that size is computed or allocated.
template <class Decoder>
std::size_t take_size(Decoder& coder, std::size_t limit) {
  const std::size_t size = code_size(coder, 0);
  format::check_size(size, limit);
  return size;
}

}  // namespace smll::codec
