#include "lm/distribution.h"

#include "lm/frequencies.h"

namespace smll::lm {

void Distribution::assign(std::span<const float> logits, exact::Isa isa) {
  decisions_.clear();
  frequencies_.resize(logits.size());
  sums_.resize(logits.size() / kSumBlock + 1);
  logits_to_frequencies(logits, frequencies_, isa);
  prefix_sums(frequencies_, sums_);
}

void Distribution::assign_decisions(std::span<const std::uint16_t> probabilities) {
  frequencies_.clear();
  decisions_.assign(probabilities.begin(), probabilities.end());
}

}  // namespace smll::lm
