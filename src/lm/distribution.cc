#include "lm/distribution.h"

#include "lm/frequencies.h"

namespace smll::lm {

void Distribution::assign(std::span<const float> logits, exact::Isa isa) {
  frequencies_.resize(logits.size());
  sums_.resize(logits.size() / kSumBlock + 1);
  logits_to_frequencies(logits, frequencies_, isa);
  prefix_sums(frequencies_, sums_);
}

}  // namespace smll::lm
