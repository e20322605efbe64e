// Learning: the same bits everywhere, and the text gets cheaper.
#include "lm/exact/learner.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>

#include "lm/exact/engine.h"
#include "lm/weights/gguf_tiny.h"
#include "smll/error.h"

namespace smll::exact {
namespace {

using weights::TinyModel;

std::vector<Token> tokens_of(std::size_t n) {
  std::mt19937 random(1);
  std::vector<Token> tokens(n);
  for (std::size_t i = 0; i < n; ++i) {
    // A pattern with noise: something to learn that is not in the window already.
    tokens[i] = static_cast<Token>(random() % 4 == 0 ? random() % 100 : (i * 7) % 20);
  }
  return tokens;
}

struct Outcome {
  std::vector<float> logits;
  double bits = 0;  // of the second half's tokens
};

Outcome run(Engine& engine, const std::vector<Token>& tokens, unsigned most_at_once) {
  const std::size_t rows = engine.rows();
  Outcome result;
  result.logits.resize(tokens.size() * rows);
  engine.reset(1);
  std::mt19937 random(most_at_once);
  for (std::size_t at = 0; at < tokens.size();) {
    const std::size_t n = std::min<std::size_t>(random() % most_at_once + 1, tokens.size() - at);
    const LaneTokens batch[] = {{0, std::span(tokens).subspan(at, n)}};
    engine.feed(batch, [&](std::size_t, std::size_t position, std::span<const float> logits, int) {
      std::memcpy(&result.logits[(at + position) * rows], logits.data(), logits.size_bytes());
    });
    at += n;
  }
  for (std::size_t i = tokens.size() / 2; i + 1 < tokens.size(); ++i) {
    const float* logits = &result.logits[i * rows];
    double sum = 0;
    for (std::size_t r = 0; r < rows; ++r) sum += std::exp(double{logits[r]});
    result.bits += std::log2(sum) - logits[tokens[i + 1]] / std::log(2.0);
  }
  return result;
}

EngineOptions options(Isa isa, int threads, bool learns) {
  EngineOptions o;
  o.isa = isa;
  o.threads = threads;
  o.window = 64;
  o.learns = learns;
  return o;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Learner, LogitsDependOnTokensOnly) {
  for (const weights::TensorType type : {weights::kQ4_1, weights::kF32}) {
    weights::TinyOptions tiny;
    tiny.type = type;
    tiny.tied = type == weights::kF32;
    const TinyModel file(tiny);
    const auto model = weights::Weights::load(file.path(), {}, 1);
    const std::vector<Token> tokens = tokens_of(300);
    Engine reference(model, options(Isa::kScalar, 1, true));
    const Outcome expected = run(reference, tokens, 1);
    for (const Isa isa : supported_isas()) {
      for (const int threads : {1, 3}) {
        Engine engine(model, options(isa, threads, true));
        for (const unsigned most : {1u, 90u, 300u}) {
          EXPECT_TRUE(same(expected.logits, run(engine, tokens, most).logits))
              << isa_name(isa) << ", " << threads << " threads, " << most << " at once";
        }
      }
    }
  }
}

// Guesses are fed up to a step's last token and taken back, also in a lane that opens after
// another.
TEST(Learner, GuessesThatAreTakenBackTeachNothing) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<Token> tokens = tokens_of(4 * Learner::kStep + 10);
  Engine reference(model, options(Isa::kAuto, 1, true));
  const Outcome expected = run(reference, tokens, 1);
  Engine engine(model, options(Isa::kAuto, 2, true));
  const std::size_t rows = engine.rows();
  std::mt19937 random(1);
  for (int round = 0; round < 6; ++round) {
    const int lane = engine.open_lane();
    std::vector<float> actual;
    for (std::size_t at = 0; at < tokens.size();) {
      const std::size_t most = engine.max_guesses(lane);
      const std::size_t guesses = round % 2 == 0 ? most : random() % (most + 1);
      const std::size_t right =
          std::min<std::size_t>(random() % (guesses + 1), tokens.size() - at - 1);
      std::vector<Token> fed(tokens.begin() + at, tokens.begin() + at + 1 + right);
      while (fed.size() < 1 + guesses) fed.push_back(static_cast<Token>(random() % 100));
      actual.resize((at + 1 + right) * rows);
      const LaneTokens batch[] = {{lane, fed}};
      engine.feed(
          batch, [&](std::size_t, std::size_t position, std::span<const float> logits, int) {
            if (position > right) return;
            std::memcpy(&actual[(at + position) * rows], logits.data(), logits.size_bytes());
          });
      if (guesses > right) engine.take_back(lane, guesses - right);
      at += 1 + right;
    }
    EXPECT_TRUE(same(expected.logits, actual)) << round;
    engine.close_lane(lane);
  }
}

TEST(Learner, TextGetsCheaper) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<Token> tokens = tokens_of(4000);
  Engine plain(model, options(Isa::kAuto, 2, false)), learns(model, options(Isa::kAuto, 2, true));
  const double without = run(plain, tokens, 64).bits;
  const double with = run(learns, tokens, 64).bits;
  EXPECT_LT(with, without * 0.98);
}

TEST(Learner, TheFirstStepComesWhenAllItsSuccessorsAreKnown) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<Token> tokens = tokens_of(Learner::kStep + 2);
  std::vector<Token> other = tokens;
  other[Learner::kStep] = (other[Learner::kStep] + 1) % 100;  // the last successor
  Engine engine(model, options(Isa::kAuto, 1, true));
  const std::size_t before = Learner::kStep * engine.rows();
  const std::vector<float> a = run(engine, tokens, 1).logits, b = run(engine, other, 1).logits;
  EXPECT_EQ(0, std::memcmp(a.data(), b.data(), before * sizeof(float)));
  EXPECT_NE(std::bit_cast<std::uint32_t>(a[before]), std::bit_cast<std::uint32_t>(b[before]));
}

TEST(Learner, HasOneLane) {
  const TinyModel file;
  Engine engine(weights::Weights::load(file.path(), {}, 1), options(Isa::kAuto, 1, true));
  EXPECT_EQ(engine.max_lanes(), 1);
  EXPECT_THROW(engine.reset(2), Error);
}

}  // namespace
}  // namespace smll::exact
