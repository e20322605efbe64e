// All decisions that walks through a vocabulary may ask about, for who computes their probabilities
// without knowing the vocabulary.
//
// A decision that is not certain divides a range of rows in two. Two rows that stand side by side
// are divided by one decision, so it is named by the first row behind the division, its middle:
// 1 .. rows - 1.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lm/token_walk.h"
#include "text/vocabulary.h"

namespace smll::lm {

struct Decision {
  std::uint32_t lo = 0, hi = 0;  // the rows that it divides
  bool first_part = false;       // its probability is that of [lo, middle), not of [middle, hi)
  std::uint32_t depth = 0;       // bytes that all of its rows begin with
  // What is decided next about [lo, middle) and about [middle, hi), by their middles; 0 for a row.
  std::uint32_t next_first = 0, next_last = 0;
};

// By middle; the first element is of none.
std::vector<Decision> decisions_of(const text::Vocabulary& vocabulary);

// The first decision of all walks, by its middle; 0 where there is only one row.
std::uint32_t root_of(std::span<const Decision> decisions);

// A path to `row` whose probabilities are not known yet: middles of its decisions, in their order,
// are appended to `middles`, and path.fill() is to be given what they are.
void outline(const text::Vocabulary& vocabulary, std::uint32_t row, RecordedPath& path,
             std::vector<std::uint32_t>& middles);

}  // namespace smll::lm
