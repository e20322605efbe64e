// Openings race with costs of our own making.
#include "codec/opening_race.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <vector>

#include "codec/openings.h"
#include "coder/cost.h"

namespace smll::codec {
namespace {

constexpr std::uint64_t kBit = coder::kCostOfBit;

struct RaceOutcome {
  std::size_t winner = 0, rows = 0, heats = 0;
};

// What an opening makes of the token at a place.
using CostOf = std::function<std::uint64_t(std::size_t opening, std::size_t token)>;

RaceOutcome run(std::size_t openings, std::size_t tokens, const CostOf& cost_of,
                std::uint64_t choice = 0) {
  std::vector<std::uint64_t> first;
  for (std::size_t i = 0; i < openings; ++i) first.push_back(cost_of(i, 0));
  OpeningRace race(std::vector<std::uint64_t>(openings, choice), first, tokens);
  RaceOutcome outcome;
  while (!race.over()) {
    EXPECT_LT(race.known(), race.goal());
    EXPECT_LE(race.goal(), tokens);
    std::vector<std::uint64_t> costs;
    for (const std::size_t runner : race.runners()) {
      costs.push_back(0);
      for (std::size_t k = race.known(); k < race.goal(); ++k) costs.back() += cost_of(runner, k);
    }
    outcome.rows += costs.size() * (race.goal() - race.known());
    ++outcome.heats;
    race.finish_heat(costs);
  }
  outcome.winner = race.winner();
  return outcome;
}

TEST(OpeningRace, OneTokenNeedsNoModel) {
  const RaceOutcome outcome =
      run(30, 1, [](std::size_t i, std::size_t) { return (40 - i) * kBit; });
  EXPECT_EQ(outcome.winner, 29u);
  EXPECT_EQ(outcome.rows, 0u);
}

TEST(OpeningRace, WhatTheChoiceCostsCounts) {
  const std::vector<std::uint64_t> choice = {9 * kBit, 1 * kBit}, first = {1 * kBit, 8 * kBit};
  EXPECT_EQ(OpeningRace(choice, first, 1).winner(), 1u);
}

TEST(OpeningRace, OneOpeningWinsAtOnce) {
  EXPECT_EQ(run(1, 100, [](std::size_t, std::size_t) { return kBit; }).heats, 0u);
}

TEST(OpeningRace, TheFirstOfEqualsWins) {
  EXPECT_EQ(run(30, 20, [](std::size_t, std::size_t) { return kBit; }).winner, 0u);
}

TEST(OpeningRace, ASlowStarterWinsLater) {
  // Opening 5 is two bits behind with the first token, and a bit ahead with each that follows.
  const RaceOutcome outcome = run(30, 20, [](std::size_t i, std::size_t k) {
    if (i == 5) return k == 0 ? 4 * kBit : kBit;
    return k == 0 && i > 3 ? 9 * kBit : 2 * kBit;
  });
  EXPECT_EQ(outcome.winner, 5u);
}

TEST(OpeningRace, WhatIsFarBehindDoesNotRun) {
  const RaceOutcome outcome = run(30, 20, [](std::size_t i, std::size_t) { return 10 * i * kBit; });
  EXPECT_EQ(outcome.winner, 0u);
  EXPECT_EQ(outcome.rows, 0u);
}

TEST(OpeningRace, NoneRunsUntilItIsFarBehind) {
  // Three openings lead until the text's seventh token, with which what they lead to is wrong.
  const auto led_astray = [](std::uint64_t ahead) {
    return [ahead](std::size_t i, std::size_t k) {
      if (i == kNoOpening) return (k == 0 ? 1 + ahead : 2) * kBit;
      if (i > 3) return k == 0 ? 40 * kBit : 2 * kBit;
      return (k == 0 ? 1 : k < 6 ? 2 : 4) * kBit;
    };
  };
  EXPECT_EQ(run(30, 20, led_astray(7)).winner, kNoOpening);
  EXPECT_NE(run(30, 20, led_astray(9)).winner, kNoOpening);
}

TEST(OpeningRace, RowsAreFewTimesThoseOfAPlainPass) {
  for (const std::size_t tokens : {10u, 20u, 40u, 64u}) {
    const RaceOutcome outcome =
        run(30, tokens, [](std::size_t i, std::size_t) { return kBit + i % 3; });
    EXPECT_LE(outcome.rows, 2 * tokens + 27) << tokens;
    EXPECT_LE(outcome.heats, 5u);
  }
}

TEST(OpeningRace, ALongTextChoosesByItsBeginning) {
  const auto alike = [](std::size_t i, std::size_t k) { return k < 256 ? kBit + i : 0; };
  const RaceOutcome outcome = run(30, 5000, alike);
  EXPECT_EQ(outcome.winner, 0u);
  EXPECT_EQ(outcome.rows, run(30, 256, alike).rows);
  EXPECT_LE(outcome.rows, 3 * 256u);
}

TEST(OpeningRace, NoneRunsAlongALongText) {
  // The other openings are far better for 70 tokens, and worse from then on.
  const auto burden = [](std::size_t i, std::size_t k) {
    if (i == kNoOpening) return 5 * kBit;
    return k < 70 ? 4 * kBit : 8 * kBit;
  };
  EXPECT_EQ(run(30, 200, burden).winner, kNoOpening);
  EXPECT_NE(run(30, 60, burden).winner, kNoOpening);
}

}  // namespace
}  // namespace smll::codec
