#include "codec/openings.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "coder/cost.h"
#include "coder/range_coder.h"

namespace smll::codec {
namespace {

TEST(Openings, AreThoseOfTheVersion) {
  ASSERT_EQ(kOpeningsVersion, 1);
  std::string all;
  for (const OpeningText& opening : openings()) {
    all += opening.text;
    all += '\0';
    all += std::to_string(opening.chance);
  }
  EXPECT_EQ(XXH3_64bits(all.data(), all.size()), 12821729751709385667u)
      << "archives depend on these texts";
}

TEST(Openings, NoneIsTheFirst) {
  ASSERT_FALSE(openings().empty());
  EXPECT_TRUE(openings()[kNoOpening].text.empty());
  std::set<std::string_view> texts;
  for (const OpeningText& opening : openings()) texts.insert(opening.text);
  EXPECT_EQ(texts.size(), openings().size());
}

TEST(Openings, ChancesAddUpToOne) {
  std::uint32_t sum = 0;
  for (const OpeningText& opening : openings()) {
    EXPECT_GT(opening.chance, 0);
    sum += opening.chance;
  }
  EXPECT_EQ(sum, coder::kProbabilityOne);
}

TEST(Openings, EachIsReadAsItWasWritten) {
  coder::Encoder encoder;
  for (std::size_t i = 0; i < openings().size(); ++i) EXPECT_EQ(code_opening(encoder, i), i);
  const std::vector<std::uint8_t> code = encoder.finish();
  coder::Decoder decoder(code);
  for (std::size_t i = 0; i < openings().size(); ++i) EXPECT_EQ(code_opening(decoder, 0), i);
  EXPECT_TRUE(decoder.used_all());
  EXPECT_FALSE(decoder.overrun());
}

TEST(Openings, AnyBytesReadAsAnIndexOfTheTable) {
  for (unsigned first = 0; first < 256; ++first) {
    const std::vector<std::uint8_t> code = {static_cast<std::uint8_t>(first), 255};
    coder::Decoder decoder(code);
    EXPECT_LT(code_opening(decoder, 0), openings().size());
  }
}

TEST(Openings, AChoiceCostsWhatItsChanceSays) {
  for (std::size_t i = 0; i < openings().size(); ++i) {
    const double bits = static_cast<double>(opening_cost(i)) / coder::kCostOfBit;
    EXPECT_NEAR(bits, 16 - std::log2(openings()[i].chance), 0.01) << i;
  }
}

// A text without a use for openings loses less than a byte by not choosing one.
TEST(Openings, NoneIsCheap) { EXPECT_LT(opening_cost(kNoOpening), 8 * coder::kCostOfBit); }

}  // namespace
}  // namespace smll::codec
