// The exact engine as a predictor.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "lm/exact/engine.h"
#include "lm/predictor.h"
#include "text/vocabulary.h"

namespace smll::lm {

class ExactPredictor final : public Predictor {
 public:
  // `vocabulary`, whose rows the model's head has, must outlive it.
  ExactPredictor(std::shared_ptr<const weights::Weights> model, const exact::EngineOptions& options,
                 const text::Vocabulary& vocabulary);

  int max_lanes() const override { return engine_.max_lanes(); }
  bool prefill_is_exact() const override { return true; }
  std::size_t preferred_batch() const override { return engine_.preferred_batch(); }
  int open_lane(std::shared_ptr<const KeptContext> begin) override {
    return engine_.open_lane(std::move(begin));
  }
  void close_lane(int lane) override { engine_.close_lane(lane); }
  std::shared_ptr<const KeptContext> keep_lane(int lane) override {
    return engine_.keep_lane(lane);
  }
  Token start_token() const override { return engine_.start_token(); }
  std::shared_ptr<TokenCode> begin_code(std::span<const std::uint8_t> code,
                                        const coder::Decoder::State& state) override {
    return engine_.begin_code(code, state);
  }
  void feed(std::span<const LaneInput> batch) override;
  std::size_t max_guesses(int lane) const override { return engine_.max_guesses(lane); }
  void take_back(int lane, std::size_t count) override { engine_.take_back(lane, count); }

 private:
  exact::Engine engine_;
  const exact::Isa isa_;
  const text::Vocabulary& vocabulary_;
  std::vector<exact::LaneTokens> tokens_;
  std::vector<Distribution> scratch_;  // one a thread
};

}  // namespace smll::lm
