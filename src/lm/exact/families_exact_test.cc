// The engine's contract (engine_test.cc) for models of every family, with all that it can have.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "lm/exact/engine_runs.h"
#include "lm/test_models.h"

namespace smll::exact {
namespace {

class FamilyEngines : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string path = lm::family_model(GetParam());
    if (!std::filesystem::exists(path)) {
      GTEST_SKIP() << path << " is missing: run `make unit`, which generates it";
    }
    model_ = weights::Weights::load(path, {}, 2);
  }

  Engine engine(Isa isa, int threads, int window, bool learns = false) const {
    EngineOptions o = options(isa, threads, window);
    o.learns = learns;
    return Engine(model_, o);
  }

  std::shared_ptr<const weights::Weights> model_;
};

// Windows below, about and above the local one of layers that have one; both slide.
TEST_P(FamilyEngines, LogitsDependOnTokensOnly) {
  const std::vector<std::vector<Token>> lanes = {random_tokens(200, 1), random_tokens(33, 2),
                                                 random_tokens(1, 3), random_tokens(90, 4)};
  for (const int window : {10, 30, 64}) {
    Engine reference = engine(Isa::kScalar, 1, window);
    const auto expected = run(reference, lanes, kSingle);
    for (const float logit : expected[0]) ASSERT_TRUE(std::isfinite(logit));
    for (const Isa isa : supported_isas()) {
      for (const int threads : {1, 3}) {
        Engine other = engine(isa, threads, window);
        std::mt19937 random(static_cast<unsigned>(threads));
        const auto whole = run(other, lanes, kWhole);
        const auto split = run(other, lanes, [&](std::size_t, int) { return random() % 19 + 1; });
        for (std::size_t i = 0; i < lanes.size(); ++i) {
          EXPECT_TRUE(same(expected[i], whole[i])) << isa_name(isa) << ", lane " << i;
          EXPECT_TRUE(same(expected[i], split[i])) << isa_name(isa) << ", lane " << i;
        }
      }
    }
  }
}

// Round the ring of keys several times, with every alignment of positions to its tiles.
TEST_P(FamilyEngines, WindowsSlideTheSameInAnyBatch) {
  const std::vector<std::vector<Token>> lanes = {random_tokens(1100, 5)};
  for (const int window : {3, 25, 300}) {
    Engine one = engine(Isa::kAuto, 2, window);
    const auto whole = run(one, lanes, kWhole);
    const auto split = run(one, lanes, [](std::size_t, int call) { return call * 37 % 290 + 1; });
    const auto single = run(one, lanes, kSingle);
    EXPECT_TRUE(same(whole[0], split[0])) << window;
    EXPECT_TRUE(same(whole[0], single[0])) << window;
  }
}

TEST_P(FamilyEngines, LanesAndGuessesLeaveNothing) {
  for (const int window : {17, 300}) {
    Engine known = engine(Isa::kAuto, 1, window), used = engine(Isa::kAuto, 1, window);
    std::mt19937 random(static_cast<unsigned>(window));
    for (const std::size_t length : {1, 255, 400, 700}) {
      const std::vector<Token> tokens = random_tokens(length, static_cast<unsigned>(length));
      const int lane = used.open_lane(), expected_lane = known.open_lane();
      const Logits expected = feed(known, expected_lane, tokens);
      EXPECT_TRUE(same(expected, feed_with_guesses(used, lane, tokens, random))) << length;
      known.close_lane(expected_lane);
      used.close_lane(lane);
    }
  }
}

TEST_P(FamilyEngines, LearningDependsOnTokensOnly) {
  const std::vector<std::vector<Token>> lanes = {random_tokens(300, 6)};
  Engine reference = engine(Isa::kScalar, 1, 64, true);
  const auto expected = run(reference, lanes, kSingle);
  Engine plain = engine(Isa::kAuto, 1, 64);
  EXPECT_FALSE(same(expected[0], run(plain, lanes, kWhole)[0])) << "it learned nothing";
  for (const Isa isa : supported_isas()) {
    Engine other = engine(isa, 2, 64, true);
    EXPECT_TRUE(same(expected[0], run(other, lanes, kWhole)[0])) << isa_name(isa);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FamilyEngines, testing::ValuesIn(lm::kFamilies),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace smll::exact
