#include "coder/range_coder.h"

#include <utility>

namespace smll::coder {

void Encoder::carry() {
  // low + range never passes the unit interval, so some written byte can take the carry.
  std::size_t i = out_.size();
  while (i > 0 && ++out_[i - 1] == 0) --i;
  assert(i > 0);
}

std::vector<std::uint8_t> Encoder::finish() {
  // The number with the most trailing zeros in [low, low + range): zeros need not be written.
  const std::uint64_t last = low_ + range_ - 1;
  std::uint64_t best = low_;
  for (unsigned zeros = 0; zeros <= detail::kTopBits; ++zeros) {
    const std::uint64_t candidate = last >> zeros << zeros;
    if (candidate < low_) break;
    best = candidate;
  }
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

}  // namespace smll::coder
