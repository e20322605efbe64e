// What stands in front of a short text's code, as decisions of its range coder.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/openings.h"
#include "codec/size_code.h"
#include "smll/error.h"
#include "smll/io.h"

namespace smll::codec {

struct ShortHead {
  bool mixed = false;                // context models take part
  std::size_t opening = kNoOpening;  // index in openings(), where there is no dictionary
  bool line = false;     // it ends where its first line break would come, which is coded
  bool escapes = false;  // there are bytes that no token spells
  // Bytes. Of a line: the most that one of as many significant bits has, its break counted in.
  std::size_t size = 0;
};

// How likely heads are; the same on both sides.
struct ShortHeadOdds {
  bool dictionary = false;
  SizeOdds sizes = kUsualSizes;  // of significant bits
};

// Of texts like the lines of a dictionary's texts, which are given one after another: what has that
// many bits came as often as there. With kUsualSizes as if four lines had been like them.
SizeOdds sizes_of_lines(std::span<const ByteView> texts);

namespace detail {

// P(a decision is yes) * 65536.
inline constexpr std::uint32_t kLaterSet = 256;
inline constexpr std::uint32_t kMixedAlone = 16384, kMixedWithDictionary = 57344;
inline constexpr std::uint32_t kLineAlone = 45056, kLineWithDictionary = 61440;
inline constexpr std::uint32_t kShortEscapes = 512;

}  // namespace detail

// Codes `known`, or decodes and returns it. Throws Error(kData) for a head that no version so far
// writes.
template <class Coder>
ShortHead code_short_head(Coder& coder, const ShortHead& known, const ShortHeadOdds& odds) {
  using namespace detail;
  if (coder.code(kLaterSet, 0)) {
    throw Error(ErrorKind::kData, "the data is damaged, or has predictions of a later smll");
  }
  ShortHead head;
  head.mixed = coder.code(odds.dictionary ? kMixedWithDictionary : kMixedAlone, known.mixed) != 0;
  if (!odds.dictionary) head.opening = code_opening(coder, known.opening);
  head.line = coder.code(odds.dictionary ? kLineWithDictionary : kLineAlone, known.line) != 0;
  head.escapes = coder.code(kShortEscapes, known.escapes) != 0;
  if (!head.line) {
    head.size = code_size(coder, known.size, odds.sizes);
  } else {
    const unsigned bits =
        code_bits(coder, static_cast<unsigned>(std::bit_width(known.size)), odds.sizes);
    if (bits == 0) throw Error(ErrorKind::kData, "the data is damaged: its line has no end");
    head.size = (std::size_t{1} << bits) - 1;
  }
  return head;
}

}  // namespace smll::codec
