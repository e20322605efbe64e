// What reads more of a model than decoders do, on a GPU: the same as on the processor.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "codec/explain.h"
#include "codec/loaded_model.h"
#include "codec/opening.h"
#include "codec/opening_costs.h"
#include "lm/test_models.h"
#include "lm/token_walk.h"

namespace smll::codec {
namespace {

class OnADevice : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = lm::test_model();
    if (!std::filesystem::exists(path)) {
      GTEST_SKIP() << path << " is missing: run `make unit`, which generates it";
    }
    setenv("SMLL_CUDA_LIBRARY", SMLL_EMULATED_LIBRARY, 0);
    LoadOptions options;
    options.threads = 1;
    options.window = 64;
    cpu_ = LoadedModel::load(path, options);
    options.device = "cuda";
    gpu_ = LoadedModel::load(path, options);
    ASSERT_TRUE(gpu_->on_gpu());
  }

  static std::span<const std::uint8_t> bytes(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }

  // More tokens than the window has, and bytes that no token spells.
  const std::string text_ =
      "Two lines of text,\nand \xff\xfe what 12,345 times follows them: text, "
      "and two lines of what follows, and of other things that it may say.\n";
  std::shared_ptr<const LoadedModel> cpu_, gpu_;
};

// Explaining needs the frequencies of all rows.
TEST_F(OnADevice, ATextIsExplainedTheSame) {
  const auto alive = [] {};
  const std::vector<TokenCost> expected = explain(bytes(text_), *cpu_, 5, alive);
  const std::vector<TokenCost> actual = explain(bytes(text_), *gpu_, 5, alive);
  ASSERT_EQ(expected.size(), actual.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(expected[i].bits, actual[i].bits) << i;
    EXPECT_EQ(expected[i].rank, actual[i].rank) << i;
    ASSERT_EQ(expected[i].guesses.size(), actual[i].guesses.size()) << i;
    for (std::size_t g = 0; g < expected[i].guesses.size(); ++g) {
      EXPECT_EQ(expected[i].guesses[g].probability, actual[i].guesses[g].probability) << i;
    }
  }
}

TEST_F(OnADevice, AnOpeningSaysTheSame) {
  const auto paths_of = [&](const LoadedModel& model) {
    const Opening opening(model, bytes(text_), Opening::Readers::kModel);
    const Opening* const openings[] = {&opening};
    Opening::make_firsts(model, openings);
    std::vector<std::uint32_t> all;
    for (std::uint32_t row = 0; row < model.vocabulary().rows(); ++row) {
      lm::RecordedPath path;
      path.record(model.vocabulary(), opening.first(), row);
      all.insert(all.end(), path.probabilities().begin(), path.probabilities().end());
    }
    return all;
  };
  EXPECT_EQ(paths_of(*cpu_), paths_of(*gpu_));
}

// What training of dictionaries and the search for openings measure.
TEST_F(OnADevice, RecordsCostTheSame) {
  const auto costs_of = [&](const LoadedModel& model) {
    OpeningCosts costs(model, {});
    const std::vector<TokenizedRecord> records = {costs.tokenize(text_, 50),
                                                  costs.tokenize("and two more", 50)};
    return costs.bits("Two lines", records);
  };
  EXPECT_EQ(costs_of(*cpu_), costs_of(*gpu_));
}

}  // namespace
}  // namespace smll::codec
