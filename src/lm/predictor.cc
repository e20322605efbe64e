#include "lm/predictor.h"

namespace smll::lm {

void answer(const LaneInput& input, std::size_t at, std::span<const float> logits,
            const text::Vocabulary& vocabulary, exact::Isa isa, Distribution& scratch) {
  if (!input.next.empty()) return input.next[at].assign(logits, isa);
  scratch.assign(logits, isa);
  input.paths[at].record(vocabulary, scratch, input.rows[at]);
}

}  // namespace smll::lm
