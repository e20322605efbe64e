#include "codec/drafter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace smll::codec {
namespace {

struct Outcome {
  double cost = 0;  // in passes without guesses
  std::size_t guessed = 0, held = 0;
};

// Decodes `text`, as a decoder would, without any model.
Outcome decode(Drafter& drafter, std::span<const Token> text, std::span<const float> costs) {
  Outcome outcome;
  while (!text.empty()) {
    const std::span<const Token> guesses = drafter.guess(costs);
    EXPECT_LE(guesses.size(), costs.size());
    const std::size_t most = std::min(guesses.size(), text.size());
    std::size_t held = 0;
    while (held < most && guesses[held] == text[held]) ++held;
    outcome.cost += std::accumulate(
        costs.begin(), costs.begin() + static_cast<std::ptrdiff_t>(guesses.size()), 1.0);
    outcome.guessed += guesses.size();
    outcome.held += held;
    const std::size_t known = std::min(held + 1, text.size());
    for (const Token token : text.first(known)) drafter.see(token);
    text = text.subspan(known);
  }
  return outcome;
}

std::vector<Token> noise(std::size_t count, int kinds) {
  std::mt19937 random(5);
  std::vector<Token> text(count);
  for (Token& token : text) {
    token = static_cast<Token>(random() % static_cast<unsigned>(kinds));
  }
  return text;
}

// `count` lines that differ in two numbers, which never come twice.
std::vector<Token> lines(int count) {
  std::vector<Token> text;
  for (int i = 0; i < count; ++i) {
    text.insert(text.end(), {1, 2, 3, 1000 + i, 4, 5, 6, 7, 9000 + i, 8, 9, 10});
  }
  return text;
}

TEST(Drafter, WhatRepeatsTakesFewPasses) {
  const std::vector<Token> period = noise(50, 30000);
  std::vector<Token> text;
  for (int i = 0; i < 10; ++i) text.insert(text.end(), period.begin(), period.end());
  Drafter drafter;
  const Outcome outcome = decode(drafter, text, costs_of_rows(1, 1));
  EXPECT_LT(outcome.cost, static_cast<double>(text.size()) / 2);
  EXPECT_GT(outcome.held, outcome.guessed * 9 / 10);
}

TEST(Drafter, NoiseCostsNoMoreThanAHundredth) {
  for (const int kinds : {10, 1000, 30000}) {
    const std::vector<Token> text = noise(2000, kinds);
    Drafter drafter;
    const Outcome outcome = decode(drafter, text, costs_of_rows(1, 1));
    EXPECT_LT(outcome.cost, static_cast<double>(text.size()) * 1.01) << kinds;
  }
}

TEST(Drafter, NoiseBehindRepeatsCostsLittle) {
  const std::vector<Token> repeats = lines(100), text = noise(2000, 10);
  Drafter drafter;
  decode(drafter, repeats, costs_of_rows(1, 1));
  const Outcome outcome = decode(drafter, text, costs_of_rows(1, 1));
  EXPECT_LT(outcome.cost, static_cast<double>(text.size()) * 1.01);
}

TEST(Drafter, GuessesGoOnBehindNumbersThatNeverCameBefore) {
  const std::vector<Token> text = lines(100);
  Drafter drafter;
  decode(drafter, text, costs_of_rows(1, 1));
  for (const Token token : {1, 2, 3, 500}) drafter.see(token);
  const std::span<const Token> guesses = drafter.guess(costs_of_rows(1, 1));
  ASSERT_GE(guesses.size(), 3u);
  EXPECT_EQ(guesses[0], 4);
  EXPECT_EQ(guesses[1], 5);
  EXPECT_EQ(guesses[2], 6);
}

TEST(Drafter, RowsThatAreDearAreNotAskedFor) {
  const std::vector<Token> text = lines(100);
  std::size_t before = text.size();
  for (const float cost : {0.2f, 0.6f, 1.0f}) {
    const std::vector<float> costs(Drafter::kMostGuesses, cost);
    Drafter drafter;
    const Outcome outcome = decode(drafter, text, costs);
    EXPECT_LT(outcome.guessed, before);
    before = outcome.guessed;
  }
  EXPECT_EQ(before, 0u);
}

TEST(Drafter, GivesNoMoreGuessesThanThereAreCosts) {
  const std::vector<Token> text = lines(20);
  const Drafter::Costs costs = costs_of_rows(1, 1);
  for (std::size_t most = 0; most <= costs.size(); ++most) {
    Drafter drafter;
    const Outcome outcome = decode(drafter, text, std::span(costs).first(most));
    EXPECT_EQ(outcome.guessed > 0, most > 0);
  }
  Drafter drafter;
  decode(drafter, text, costs);
  EXPECT_LE(drafter.guess(std::vector<float>(20, 0.0f)).size(), Drafter::kMostGuesses);
}

TEST(Drafter, WhatItLearnedStaysAsItGrows) {
  const std::vector<Token> text = noise(100, 30000), others = noise(1500, 29000);
  Drafter drafter;
  decode(drafter, text, costs_of_rows(1, 1));
  decode(drafter, others, costs_of_rows(1, 1));
  const Outcome outcome = decode(drafter, text, costs_of_rows(1, 1));
  EXPECT_GT(outcome.held, text.size() / 2);
}

TEST(Drafter, MemoryIsSmallAtFirstAndBounded) {
  EXPECT_LT(Drafter::memory(20), std::size_t{16} << 10);
  EXPECT_LT(Drafter::memory(1000), Drafter::memory(3000));
  EXPECT_EQ(Drafter::memory(100'000), Drafter::memory(100'000'000));
  EXPECT_LT(Drafter::memory(100'000'000), std::size_t{5} << 20);
}

TEST(CostsOfRows, ALoneLaneGetsRowsCheaplyAndManyLanesDearly) {
  const Drafter::Costs alone = costs_of_rows(1, 1), many = costs_of_rows(16, 16);
  EXPECT_NEAR(alone[0], 0.17, 0.001);
  EXPECT_NEAR(alone[0] + alone[1] + alone[2], 0.28, 0.001);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_GT(alone[i], 0);
    EXPECT_LT(alone[i], many[i]);
    EXPECT_LT(many[i], 1);
  }
  EXPECT_GT(costs_of_rows(64, 200)[0], 0);
}

}  // namespace
}  // namespace smll::codec
