#include "codec/short_head.h"

#include <algorithm>

namespace smll::codec {

SizeOdds sizes_of_lines(std::span<const ByteView> texts) {
  constexpr std::uint64_t kUsualLines = 4, kOne = 65536, kLeast = 64;
  std::array<std::uint64_t, std::tuple_size_v<SizeOdds> + 1> lines{};  // by bits
  for (const ByteView text : texts) {
    for (auto begin = text.begin(); begin != text.end();) {
      const auto end = std::find(begin, text.end(), '\n');
      if (end == text.end()) break;
      const auto bits =
          static_cast<std::size_t>(std::bit_width(static_cast<std::size_t>(end - begin) + 1));
      ++lines[std::min(bits, lines.size() - 1)];
      begin = end + 1;
    }
  }
  SizeOdds odds = kUsualSizes;
  std::uint64_t left = 0;
  for (const std::uint64_t count : lines) left += count;
  for (std::size_t bits = 0; bits < odds.size(); ++bits) {
    const std::uint64_t chance =
        (lines[bits] * kOne + kUsualLines * kUsualSizes[bits]) / (left + kUsualLines);
    odds[bits] = static_cast<std::uint16_t>(std::clamp(chance, kLeast, kOne - kLeast));
    left -= lines[bits];
  }
  return odds;
}

}  // namespace smll::codec
