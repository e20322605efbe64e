// Lanes that two threads decode in turns.
#include "codec/lane_decoder.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "exact/isa.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

// Two tokens, a and b, which are equally likely.
class Coin : public Predictor {
 public:
  std::size_t rows() const override { return 2; }
  int max_lanes() const override { return 32; }
  bool prefill_is_exact() const override { return true; }
  std::size_t preferred_batch() const override { return 1; }
  void reset(int) override {}
  Token start_token() const override { return 0; }
  void feed(std::span<const LaneTokens> batch, const RowSink& sink) override {
    constexpr std::array<float, 2> kLogits = {0, 0};
    for (std::size_t input = 0; input < batch.size(); ++input) sink(input, 0, kLogits);
  }
  void finish_lane(int) override {}
};

// Any bytes are the code of some letters: a hostile archive may have its lanes as uneven as these.
TEST(LaneDecoderThreads, ACallersThreadWithoutLanesCanStillCancel) {
  constexpr std::size_t kShort = 1, kLong = 50000;
  const std::vector<text::VocabularyEntry> entries = {{"a", true}, {"b", true}};
  const text::Vocabulary vocabulary(entries);
  const std::array<mix::LaneExtent, 2> extents = {{{0, kShort}, {kShort, kLong}}};
  std::mt19937 random(1);
  std::vector<std::uint8_t> code(kLong);
  for (std::uint8_t& byte : code) byte = static_cast<std::uint8_t>(random());
  coder::Decoder coder(code);
  mix::FrameMixer mixer(mix::Experts::kLlm, mix::Strength::kStrong, kShort + kLong, extents);
  Coin first, second;
  const std::array<Predictor*, 2> predictors = {&first, &second};
  LaneDecoder decoder(coder, extents, false, mixer, vocabulary, predictors,
                      exact::isa_from_name("scalar"));
  const Progress cancel = [](std::size_t bytes, std::uint64_t) {
    if (bytes > 10 * kShort) throw Error(ErrorKind::kIo, "cancelled");
  };
  EXPECT_THROW(decoder.run(nullptr, cancel), Error);
}

}  // namespace
}  // namespace smll::codec
