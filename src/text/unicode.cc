#include "text/unicode.h"

#include <algorithm>
#include <iterator>

#include "text/utf8.h"

namespace smll::text {
namespace {

struct CategoryRange {
  char32_t first;
  char category;
};
struct CodePointRange {
  char32_t first, last;
};

#include "text/unicode_ranges.inc"

constexpr std::size_t kCodePoints = 0x110000;

constexpr Category category_of_letter(char letter) {
  switch (letter) {
    case 'L':
      return kLetter;
    case 'N':
      return kNumber;
    case 'M':
      return kMark;
    case 'P':
      return kPunctuation;
    case 'S':
      return kSymbol;
    case 'W':
      return kSpace;
    default:
      return kOther;
  }
}

// Of every code point: a look-up each is what long texts need.
const std::vector<std::uint8_t>& category_table() {
  static const std::vector<std::uint8_t> table = [] {
    std::vector<std::uint8_t> all(kCodePoints);
    for (auto range = std::begin(kCategories); range != std::end(kCategories); ++range) {
      const auto next = std::next(range);
      const std::size_t end = next == std::end(kCategories) ? kCodePoints : next->first;
      std::fill(all.begin() + static_cast<std::ptrdiff_t>(range->first),
                all.begin() + static_cast<std::ptrdiff_t>(end),
                static_cast<std::uint8_t>(category_of_letter(range->category)));
    }
    return all;
  }();
  return table;
}

char32_t decode(std::string_view sequence) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(sequence[i]));
  };
  switch (sequence.size()) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
    case 3:
      return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 |
             (byte(3) & 0x3f);
  }
}

}  // namespace

CodePoints code_points(std::string_view text) {
  const std::vector<std::uint8_t>& table = category_table();
  CodePoints out;
  out.points.reserve(text.size());
  out.categories.reserve(text.size());
  out.offsets.reserve(text.size() + 1);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text.substr(at)), 1);
    const char32_t point = decode(text.substr(at, length));
    out.points.push_back(point);
    out.categories.push_back(table[point]);
    out.offsets.push_back(static_cast<std::uint32_t>(at));
    at += length;
  }
  out.offsets.push_back(static_cast<std::uint32_t>(text.size()));
  return out;
}

bool is_listed_letter(char32_t point) {
  const auto* after = std::ranges::upper_bound(kListedLetters, point, {}, &CodePointRange::first);
  return after != std::begin(kListedLetters) && point <= std::prev(after)->last;
}

}  // namespace smll::text
