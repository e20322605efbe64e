#include "lm/exact/exact_predictor.h"

#include <utility>

namespace smll::lm {

ExactPredictor::ExactPredictor(std::shared_ptr<const weights::Weights> model,
                               const exact::EngineOptions& options,
                               const text::Vocabulary& vocabulary)
    : engine_(std::move(model), options),
      isa_(options.isa),
      vocabulary_(vocabulary),
      scratch_(static_cast<std::size_t>(engine_.threads())) {}

void ExactPredictor::feed(std::span<const LaneInput> batch) {
  tokens_.clear();
  for (const LaneInput& input : batch) tokens_.push_back({input.lane, input.tokens});
  engine_.feed(tokens_, [&](std::size_t input, std::size_t position, std::span<const float> logits,
                            int thread) {
    answer(batch[input], position, logits, vocabulary_, isa_,
           scratch_[static_cast<std::size_t>(thread)]);
  });
}

}  // namespace smll::lm
