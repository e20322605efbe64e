#include "codec/distribution.h"

#include "exact/softmax.h"

namespace smll::codec {

void Distribution::assign(std::span<const float> logits, exact::Isa isa) {
  frequencies_.resize(logits.size());
  sums_.resize(logits.size() / exact::kSumBlock + 1);
  exact::logits_to_frequencies(logits, frequencies_, isa);
  exact::prefix_sums(frequencies_, sums_);
}

}  // namespace smll::codec
