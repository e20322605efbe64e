// Texts that a model may have read before the one it codes, so that it does not start cold.
//
// Everything here is part of the format: the texts, their order and their chances stay what they
// are for ever, and another table is another version. The choice stands in the code as the index
// of an opening, "none" included: see code_opening().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace smll::codec {

inline constexpr int kOpeningsVersion = 1;

// What stands before the text in a lane, and how likely it is chosen.
struct OpeningText {
  std::string_view text;  // UTF-8; tokenized on its own, as the text behind it is
  std::uint16_t chance;   // * 65536; at least 1; those of all openings add up to 65536
};

// Index 0 is "none", whose text is empty.
std::span<const OpeningText> openings();

inline constexpr std::size_t kNoOpening = 0;

// What code_opening() costs, as coder::CostCounter counts: for choosing among openings.
std::uint64_t opening_cost(std::size_t index);

// Codes an index by bisection: of the openings [lo, hi) that it may still be, the decision is
// whether it is one of [middle, hi) with middle = lo + (hi - lo) / 2, and P(yes) * 65536 is
// floor(65536 * the chances of [middle, hi) / those of [lo, hi)), until one is left. The coder is a
// coder::Encoder or a coder::Decoder, for which `index` does not matter; returns the index.
template <class Coder>
std::size_t code_opening(Coder& coder, std::size_t index) {
  const std::span<const OpeningText> table = openings();
  const auto chances = [&](std::size_t lo, std::size_t hi) {
    std::uint32_t sum = 0;
    for (; lo < hi; ++lo) sum += table[lo].chance;
    return sum;
  };
  std::size_t lo = 0, hi = table.size();
  while (hi - lo > 1) {
    const std::size_t middle = lo + (hi - lo) / 2;
    const auto upper =
        static_cast<std::uint32_t>((std::uint64_t{chances(middle, hi)} << 16) / chances(lo, hi));
    (coder.code(upper, index >= middle) ? lo : hi) = middle;
  }
  return lo;
}

}  // namespace smll::codec
