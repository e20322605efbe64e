#include "coder/range_coder.h"

#include <utility>

namespace smll::coder {

std::uint64_t detail::shortest(std::uint64_t low, std::uint64_t range) {
  const std::uint64_t last = low + range - 1;
  std::uint64_t best = low;
  for (unsigned zeros = 0; zeros <= kTopBits; ++zeros) {
    const std::uint64_t candidate = last >> zeros << zeros;
    if (candidate < low) break;
    best = candidate;
  }
  return best;
}

void Encoder::carry() {
  // low + range never passes the unit interval, so some written byte can take the carry.
  std::size_t i = out_.size();
  while (i > 0 && ++out_[i - 1] == 0) --i;
  assert(i > 0);
}

std::vector<std::uint8_t> Encoder::finish() {
  std::uint64_t best = detail::shortest(low_, range_);
  if (best >= detail::kTop) {
    carry();
    best -= detail::kTop;
  }
  for (unsigned shift = detail::kTopBits; shift > 0 && best != 0;) {
    shift -= 8;
    out_.push_back(static_cast<std::uint8_t>(best >> shift));
    best &= (std::uint64_t{1} << shift) - 1;
  }
  low_ = 0;
  range_ = detail::kTop;
  return std::move(out_);
}

// The encoder has written all bytes that were read but the last kLookahead ones. These are its low
// end's and `value` together, so they say what it would have ended with.
bool Decoder::is_as_written() const {
  const std::uint64_t mask = detail::kTop - 1;
  const std::uint64_t written = at_.position - kLookahead;
  std::uint64_t last_read = 0;
  for (std::uint64_t i = written; i < at_.position; ++i) last_read = last_read << 8 | byte(i);
  const std::uint64_t low = (last_read - at_.value) & mask;
  const std::uint64_t best = detail::shortest(low, at_.range);
  if (best - low != at_.value) return false;
  std::uint64_t size = written;
  for (std::uint64_t rest = best & mask; rest != 0; rest = rest << 8 & mask) ++size;
  return in_.size() == size;
}

}  // namespace smll::coder
