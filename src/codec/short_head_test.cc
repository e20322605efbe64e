#include "codec/short_head.h"

#include <gtest/gtest.h>

#include "coder/cost.h"
#include "coder/range_coder.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

TEST(ShortHead, ComesBack) {
  for (const bool dictionary : {false, true}) {
    const ShortHeadOdds odds{dictionary, kUsualSizes};
    for (std::size_t size = 0; size <= kMaxCompact; size = size * 3 + 1) {
      for (const bool flag : {false, true}) {
        for (std::size_t opening = 0; opening < openings().size(); opening += 7) {
          const ShortHead head{flag, dictionary ? kNoOpening : opening, size > 0 && flag, !flag,
                               size};
          coder::Encoder encoder;
          const ShortHead known = code_short_head(encoder, head, odds);
          const std::vector<std::uint8_t> code = encoder.finish();
          coder::Decoder decoder(code);
          const ShortHead read = code_short_head(decoder, {}, odds);
          EXPECT_TRUE(decoder.is_as_written());
          EXPECT_EQ(read.mixed, head.mixed);
          EXPECT_EQ(read.opening, head.opening);
          EXPECT_EQ(read.line, head.line);
          EXPECT_EQ(read.escapes, head.escapes);
          EXPECT_EQ(read.size, known.size);
          EXPECT_GE(read.size, size);
          EXPECT_TRUE(head.line || read.size == size);
        }
      }
    }
  }
}

// Its line break is counted in.
TEST(ShortHead, ALineIsNotEmpty) {
  coder::Encoder encoder;
  encoder.code(detail::kLaterSet, 0);
  encoder.code(detail::kMixedWithDictionary, 0);
  encoder.code(detail::kLineWithDictionary, 1);
  encoder.code(detail::kShortEscapes, 0);
  code_bits(encoder, 0, kUsualSizes);
  const std::vector<std::uint8_t> code = encoder.finish();
  coder::Decoder decoder(code);
  EXPECT_THROW(code_short_head(decoder, {}, {true, kUsualSizes}), Error);
}

TEST(ShortHead, OfANewerVersionIsRefused) {
  coder::Encoder encoder;
  encoder.code(detail::kLaterSet, 1);
  const std::vector<std::uint8_t> code = encoder.finish();
  coder::Decoder decoder(code);
  EXPECT_THROW(code_short_head(decoder, {}, ShortHeadOdds{}), Error);
}

TEST(ShortHead, SizesLikeTheDictionarysLinesAreCheap) {
  Bytes lines;
  for (int i = 0; i < 100; ++i) {
    lines.insert(lines.end(), 20 + i % 10, 'x');
    lines.push_back('\n');
  }
  const std::array<ByteView, 1> texts = {lines};
  const auto cost = [](std::size_t size, const SizeOdds& sizes) {
    coder::CostCounter counter;
    code_short_head(counter, {true, kNoOpening, true, false, size}, {true, sizes});
    return counter.cost();
  };
  const SizeOdds odds = sizes_of_lines(texts);
  EXPECT_LT(cost(25, odds) + coder::kCostOfBit * 2, cost(25, kUsualSizes));
  EXPECT_LT(cost(5000, odds), 20 * coder::kCostOfBit);
  EXPECT_EQ(sizes_of_lines({}), kUsualSizes);
}

}  // namespace
}  // namespace smll::codec
