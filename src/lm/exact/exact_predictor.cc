#include "lm/exact/exact_predictor.h"

#include <utility>

namespace smll::lm {
namespace {

// What a batch needs of a distribution that a device holds.
class BatchQuestions final : public exact::Questions {
 public:
  BatchQuestions(std::span<const LaneInput> batch, const text::Vocabulary& vocabulary)
      : batch_(batch), vocabulary_(vocabulary) {}

  Wanted ask(std::size_t input, std::size_t position,
             std::vector<std::uint32_t>& middles) override {
    const LaneInput& in = batch_[input];
    if (in.coded.code) return Wanted::kToken;
    if (!in.next.empty()) return in.only_walks ? Wanted::kAllDecisions : Wanted::kLogits;
    outline(vocabulary_, in.rows[position], in.paths[position], middles);
    return Wanted::kSomeDecisions;
  }
  void answer(std::size_t input, std::size_t position,
              std::span<const std::uint16_t> probabilities) override {
    const LaneInput& in = batch_[input];
    if (!in.next.empty()) return in.next[position].assign_decisions(probabilities);
    in.paths[position].fill(probabilities);
  }
  CodedToken coded(std::size_t input, std::size_t /*position*/) override {
    return batch_[input].coded;
  }

 private:
  std::span<const LaneInput> batch_;
  const text::Vocabulary& vocabulary_;
};

// What a device is asked about; the processor is asked nothing.
exact::EngineOptions with_decisions(exact::EngineOptions options,
                                    std::span<const Decision> decisions) {
  options.decisions = decisions;
  return options;
}

}  // namespace

ExactPredictor::ExactPredictor(std::shared_ptr<const weights::Weights> model,
                               const exact::EngineOptions& options,
                               const text::Vocabulary& vocabulary)
    : engine_(std::move(model), with_decisions(options, options.device ? decisions_of(vocabulary)
                                                                       : std::vector<Decision>())),
      isa_(options.isa),
      vocabulary_(vocabulary),
      scratch_(static_cast<std::size_t>(engine_.threads())) {}

void ExactPredictor::feed(std::span<const LaneInput> batch) {
  tokens_.clear();
  for (const LaneInput& input : batch) tokens_.push_back({input.lane, input.tokens});
  BatchQuestions questions(batch, vocabulary_);
  const auto sink = [&](std::size_t input, std::size_t position, std::span<const float> logits,
                        int thread) {
    answer(batch[input], position, logits, vocabulary_, isa_,
           scratch_[static_cast<std::size_t>(thread)]);
  };
  engine_.feed(tokens_, sink, &questions);
}

}  // namespace smll::lm
