// Training: the texts' kind gets cheaper, and the same adapter comes out everywhere.
#include "lm/exact/adapter_training.h"

#include <gtest/gtest.h>

#include <random>

#include "lm/weights/gguf_tiny.h"
#include "smll/error.h"

namespace smll::exact {
namespace {

using ModelPtr = std::shared_ptr<const weights::Weights>;

// A pattern with noise: something to learn that is not in the window already.
std::vector<Token> tokens_of(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i) {
    tokens[i] = static_cast<Token>(random() % 4 == 0 ? random() % 100 : (i * 7) % 20);
  }
  return tokens;
}

ModelPtr load(weights::TensorType type) {
  weights::TinyOptions options;
  options.type = type;
  return weights::Weights::load(weights::TinyModel(options).path(), {}, 1);
}

AdapterTraining options_of(int threads, Isa isa = Isa::kAuto) {
  AdapterTraining options;
  options.threads = threads;
  options.isa = isa;
  options.window = 64;
  options.rate = 2e-3f;  // the tiny model knows nothing
  return options;
}

TEST(AdapterTraining, TextsOfTheKindGetCheaper) {
  for (const weights::TensorType type : {weights::kQ4_1, weights::kQ8_0}) {
    const ModelPtr model = load(type);
    const std::vector<std::vector<Token>> texts = {tokens_of(3000, 1), {}, tokens_of(1000, 2)};
    const std::vector<Token> other = tokens_of(1000, 3);
    const double plain = code_length(model, {}, other, 2);
    double before = 0.0;
    for (const bool all_layers : {false, true}) {
      AdapterTraining options = options_of(2);
      options.all_layers = all_layers;
      const weights::Adapter adapter = train_adapter(model, texts, options);
      EXPECT_EQ(adapter.matrices(), all_layers ? 14u : 7u);
      const double adapted = code_length(adapter.apply(*model, 2), {}, other, 2);
      EXPECT_LT(adapted, plain * 0.97) << "all layers: " << all_layers;
      if (all_layers) {
        EXPECT_LT(adapted, before);
      }
      before = adapted;
    }
  }
}

TEST(AdapterTraining, IsTheSameEverywhere) {
  const std::vector<std::vector<Token>> texts = {tokens_of(500, 1)};
  for (const weights::TensorType type : {weights::kQ4_1, weights::kQ8_0}) {
    const ModelPtr model = load(type);
    const Bytes expected = train_adapter(model, texts, options_of(1, Isa::kScalar)).serialize();
    for (const Isa isa : supported_isas()) {
      for (const int threads : {1, 3}) {
        EXPECT_EQ(train_adapter(model, texts, options_of(threads, isa)).serialize(), expected)
            << isa_name(isa) << ", " << threads << " threads";
      }
    }
  }
}

TEST(AdapterTraining, ReportsItsProgressAndStopsWhenTold) {
  const ModelPtr model = load(weights::kQ4_1);
  const std::vector<std::vector<Token>> texts = {tokens_of(2000, 1)};
  AdapterTraining options = options_of(1);
  options.passes = 2;
  std::vector<TrainingProgress> seen;
  train_adapter(model, texts, options, [&](const TrainingProgress& progress) {
    seen.push_back(progress);
    return true;
  });
  ASSERT_EQ(seen.size(), 8u);
  EXPECT_EQ(seen.back().tokens, 4000u / 64 * 64);
  EXPECT_EQ(seen.back().of, seen.back().tokens);
  EXPECT_LT(seen.back().bits, seen.front().bits);
  int calls = 0;
  const weights::Adapter early =
      train_adapter(model, texts, options, [&](const TrainingProgress&) { return ++calls < 2; });
  EXPECT_EQ(calls, 2);
  EXPECT_GT(early.matrices(), 0u);
  options.most_tokens = 1000;
  train_adapter(model, texts, options, [&](const TrainingProgress& progress) {
    EXPECT_EQ(progress.of, 1000u / 64 * 64);
    return false;
  });
}

TEST(AdapterTraining, NeedsTokensThatExist) {
  const ModelPtr model = load(weights::kQ4_1);
  EXPECT_THROW(train_adapter(model, std::vector<std::vector<Token>>{tokens_of(100, 1)}, {}), Error);
  std::vector<Token> tokens = tokens_of(300, 1);
  tokens[200] = 100;
  EXPECT_THROW(train_adapter(model, std::vector<std::vector<Token>>{tokens}, {}), Error);
}

}  // namespace
}  // namespace smll::exact
