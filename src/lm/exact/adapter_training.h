// Makes an adapter of texts: the model reads them, and its matrices take a step down the gradient
// of the tokens' code length after every 64 of them (lm/exact/learner.h). Offline, and no part of
// the format: what matters to archives is the adapter, not how it was made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lm/exact/isa.h"
#include "lm/weights/adapter.h"
#include "text/token.h"

namespace smll::exact {

// The same options and texts give the same adapter, whatever the threads and the instruction set.
struct AdapterTraining {
  int threads = 0;  // 0: one per processor
  Isa isa = Isa::kAuto;
  // How often the texts are read. The steps get shorter until the last, so two passes are not twice
  // one.
  int passes = 1;
  // Tokens at most, over all passes; 0: no limit. Time is in proportion to it.
  std::uint64_t most_tokens = 0;
  float rate = kUsualRate;  // of the first step, for what is added to weights
  bool all_layers = false;  // or the upper half: faster, and the adapter half as large
  int window = 512;         // tokens that a position sees

  static constexpr float kUsualRate = 1.2e-4f;
};

// How far it is, now and then; false: stop, with what was learned so far.
struct TrainingProgress {
  std::uint64_t tokens = 0, of = 0;
  double bits = 0;  // of a token, over the last ones, before the model learned from them
};
using OnTraining = std::function<bool(const TrainingProgress&)>;

// `texts`: tokens of records or of longer texts, without a start token, read one after another as
// one text. Empty ones are skipped. Throws Error(kData) for tokens that do not exist and where
// there are less than 128 in all, too few for two steps.
weights::Adapter train_adapter(std::shared_ptr<const weights::Weights> model,
                               std::span<const std::vector<Token>> texts,
                               const AdapterTraining& options, const OnTraining& progress = {});

// Bytes that it takes besides the model, at most.
std::uint64_t training_memory(const weights::Weights& model, const AdapterTraining& options);

// Bits of a text's tokens by the model, given those before it, from the coder's own frequencies:
// what an adapter gains is the difference of the plain and the adapted model's. `text` has no start
// token.
double code_length(const std::shared_ptr<const weights::Weights>& model,
                   std::span<const Token> before, std::span<const Token> text, int threads);

}  // namespace smll::exact
