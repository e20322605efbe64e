#include "codec/lane_recorder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "smll/error.h"

namespace smll::codec {
namespace {

// Three tokens, a, b and c.
text::Vocabulary letters() {
  const std::vector<text::VocabularyEntry> entries = {{"a", true}, {"b", true}, {"c", true}};
  return text::Vocabulary(entries);
}

// Expects the token after the one before, a little more with each token of its lane.
class Alphabet : public Predictor {
 public:
  explicit Alphabet(std::size_t fail_after = SIZE_MAX) : left_(fail_after) {}
  std::size_t rows() const override { return 3; }
  int max_lanes() const override { return 32; }
  bool prefill_is_exact() const override { return true; }
  std::size_t preferred_batch() const override { return 8; }
  void reset(int lanes) override { fed_.assign(static_cast<std::size_t>(lanes), 0); }
  Token start_token() const override { return 2; }
  void feed(std::span<const LaneTokens> batch, const RowSink& sink) override {
    for (std::size_t input = 0; input < batch.size(); ++input) {
      int& fed = fed_.at(static_cast<std::size_t>(batch[input].lane));
      for (std::size_t i = 0; i < batch[input].tokens.size(); ++i) {
        if (left_-- == 0) throw std::runtime_error("the predictor failed");
        std::vector<float> logits(3);
        logits[static_cast<std::size_t>(batch[input].tokens[i] + 1) % 3] =
            0.1f * static_cast<float>(++fed);
        sink(input, i, logits);
      }
    }
  }
  void finish_lane(int) override {}

 private:
  std::vector<int> fed_;
  std::size_t left_;
};

// Lanes of different lengths, with an escaped byte in each.
std::vector<Lane> lanes() {
  std::vector<Lane> result(5);
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (std::uint32_t unit = 0; unit < 30 + 7 * i; ++unit) {
      result[i].units.push_back(text::Unit{unit % 3, 0});
    }
    result[i].units[i] = text::Unit{text::Vocabulary::kNoRow, 'x'};
  }
  return result;
}

using Paths = std::vector<std::vector<RecordedPath>>;

Paths record(std::size_t predictors, const Meanwhile& meanwhile, std::size_t fail_after = SIZE_MAX,
             exact::Isa isa = exact::Isa::kAuto) {
  std::vector<Alphabet> alphabets(predictors);
  alphabets.back() = Alphabet(fail_after);
  std::vector<Predictor*> pointers;
  for (Alphabet& alphabet : alphabets) pointers.push_back(&alphabet);
  const std::vector<Lane> all = lanes();
  Paths paths(all.size());
  const text::Vocabulary vocabulary = letters();
  FrameStats stats;
  LaneRecorder(all, paths, vocabulary, pointers, isa).run(1000, &stats, {}, meanwhile);
  EXPECT_EQ(stats.tokens, 29u + 36 + 43 + 50 + 57);
  return paths;
}

TEST(LaneRecorder, RecordsTheSameWithAnyNumberOfPredictors) {
  const Paths one = record(1, {});
  ASSERT_EQ(one[2].size(), 43u);
  for (const std::size_t predictors : {2u, 3u, 5u}) {
    const Paths several = record(predictors, {});
    for (std::size_t lane = 0; lane < one.size(); ++lane) {
      ASSERT_EQ(several[lane].size(), one[lane].size());
      for (std::size_t i = 0; i < one[lane].size(); ++i) {
        EXPECT_TRUE(
            std::ranges::equal(several[lane][i].probabilities(), one[lane][i].probabilities()));
      }
    }
  }
}

TEST(LaneRecorder, TellsMeanwhileWhatIsRecorded) {
  for (const std::size_t predictors : {1u, 2u, 5u}) {
    std::vector<std::size_t> before(5);
    int calls = 0;
    record(predictors, [&](std::span<const std::size_t> recorded) {
      ++calls;
      ASSERT_EQ(recorded.size(), before.size());
      for (std::size_t lane = 0; lane < before.size(); ++lane) {
        EXPECT_GE(recorded[lane], before[lane]);
        EXPECT_LE(recorded[lane], 29 + 7 * lane);
      }
      before.assign(recorded.begin(), recorded.end());
    });
    EXPECT_GT(calls, 0);
  }
}

TEST(LaneRecorder, AnyFailureEndsAll) {
  for (const std::size_t predictors : {1u, 2u, 5u}) {
    EXPECT_THROW(record(predictors, {}, 20), std::runtime_error);
    EXPECT_THROW(record(predictors, [](auto) { throw std::logic_error("meanwhile failed"); }),
                 std::logic_error);
  }
}

TEST(LaneRecorder, TheInstructionSetReachesTheFrequencies) {
  const std::vector<exact::Isa>& here = exact::supported_isas();
  for (const exact::Isa isa : {exact::Isa::kScalar, exact::Isa::kAvx2, exact::Isa::kNeon}) {
    if (std::ranges::find(here, isa) == here.end()) {
      EXPECT_THROW(record(1, {}, SIZE_MAX, isa), Error);
    } else {
      EXPECT_EQ(record(1, {}, SIZE_MAX, isa)[2].size(), 43u);
    }
  }
}

}  // namespace
}  // namespace smll::codec
