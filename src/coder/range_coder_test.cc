#include "coder/range_coder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace smll::coder {
namespace {

// std::mt19937's numbers have 32 bits but a wider type.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::uint32_t operator()() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

struct Decision {
  std::uint32_t p1;
  int bit;
};

void expect_round_trip(const std::vector<Decision>& decisions) {
  Encoder encoder;
  for (const Decision& d : decisions) encoder.code(d.p1, d.bit);
  const std::vector<std::uint8_t> code = encoder.finish();
  Decoder decoder(code);
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    ASSERT_EQ(decoder.code(decisions[i].p1), decisions[i].bit) << "decision " << i;
  }
  EXPECT_FALSE(decoder.overrun());
  double bits = 0;
  for (const Decision& d : decisions) {
    bits -= std::log2((d.bit ? d.p1 : kProbabilityOne - d.p1) / double{kProbabilityOne});
  }
  EXPECT_LE(code.size(), bits / 8 + 1.25) << "the code must be within ten bits of the entropy";
}

TEST(RangeCoder, NoDecisionsTakeNoBytes) { expect_round_trip({}); }

TEST(RangeCoder, RandomDecisionsOfAllSkews) {
  Random rng(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Decision> decisions(rng() % 3000);
    for (Decision& d : decisions) {
      d.p1 = std::max(1u, (rng() & 0xffffu) >> (rng() % 16));
      if (rng() & 1) d.p1 = kProbabilityOne - d.p1;
      d.bit = (rng() & 0xffffu) < d.p1;
    }
    expect_round_trip(decisions);
  }
}

TEST(RangeCoder, UnlikelyAndLikelyExtremes) {
  expect_round_trip(std::vector<Decision>(500, {1, 1}));
  expect_round_trip(std::vector<Decision>(100000, {65535, 1}));
  expect_round_trip(std::vector<Decision>(100000, {1, 0}));
  expect_round_trip(std::vector<Decision>(500, {65535, 0}));
}

TEST(RangeCoder, CarriesRunThroughWrittenBytes) {
  // Zeros keep the interval at the top end of the unit interval, so bytes of 0xff are written; the
  // one that follows moves it and the carry has to travel back through all of them.
  Random rng(2);
  for (int round = 0; round < 500; ++round) {
    std::vector<Decision> decisions;
    for (unsigned i = rng() % 200; i > 0; --i) decisions.push_back({65535 - rng() % 3, 0});
    for (unsigned i = rng() % 50; i > 0; --i) {
      decisions.push_back({1 + rng() % 65535, static_cast<int>(rng() & 1)});
    }
    expect_round_trip(decisions);
  }
}

TEST(RangeCoder, CutCodeIsAnOverrun) {
  Encoder encoder;
  for (int i = 0; i < 1000; ++i) encoder.code(32768, i & 1);
  std::vector<std::uint8_t> code = encoder.finish();
  code.resize(code.size() / 2);
  Decoder decoder(code);
  for (int i = 0; i < 1000; ++i) decoder.code(32768);
  EXPECT_TRUE(decoder.overrun());
}

// All codes of up to two bytes and the neighbours of longer ones, some of which decode to the same
// decisions.
TEST(RangeCoder, KnowsWhatAnEncoderWrites) {
  Random rng(5);
  for (int round = 0; round < 40; ++round) {
    std::vector<std::uint32_t> odds(rng() % 40);
    for (std::uint32_t& p : odds) p = std::max(1u, (rng() & 0xffffu) >> (rng() % 16));
    std::size_t written = 0;
    const auto check = [&](const std::vector<std::uint8_t>& code) {
      Decoder decoder(code);
      Encoder encoder;
      for (const std::uint32_t p : odds) encoder.code(p, decoder.code(p));
      const bool as_written = encoder.finish() == code;
      ASSERT_EQ(decoder.is_as_written(), as_written);
      EXPECT_FALSE(as_written && (decoder.overrun() || !decoder.used_all()));
      written += as_written ? 1 : 0;
    };
    check({});
    for (unsigned a = 0; a < 256; ++a) {
      check({static_cast<std::uint8_t>(a)});
      for (unsigned b = 0; b < 256; ++b) {
        check({static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)});
      }
    }
    Encoder encoder;
    for (const std::uint32_t p : odds) encoder.code(p, static_cast<int>(rng() & 1));
    std::vector<std::uint8_t> code = encoder.finish();
    check(code);
    EXPECT_GT(written, 0u);
    for (std::size_t i = 0; i < code.size(); ++i) {
      for (const int change : {1, -1}) {
        std::vector<std::uint8_t> other = code;
        other[i] = static_cast<std::uint8_t>(other[i] + change);
        check(other);
      }
    }
    code.push_back(0);
    check(code);
  }
}

// In any two pieces.
TEST(RangeCoder, ADecoderGoesOnWhereAnotherStands) {
  Random rng(6);
  std::vector<std::uint8_t> code(50);
  for (std::uint8_t& byte : code) byte = static_cast<std::uint8_t>(rng());
  for (int first = 0; first < 300; first += 7) {
    Decoder whole(code), begun(code);
    for (int i = 0; i < first; ++i) ASSERT_EQ(whole.code(50000), begun.code(50000));
    Decoder other(code, begun.state());
    for (int i = first; i < 600; ++i) ASSERT_EQ(whole.code(50000), other.code(50000));
    EXPECT_EQ(whole.overrun(), other.overrun());
    EXPECT_EQ(whole.is_as_written(), other.is_as_written());
  }
}

}  // namespace
}  // namespace smll::coder
