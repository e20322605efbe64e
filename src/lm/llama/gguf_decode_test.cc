// Each tensor type's decoder against ggml's, and requantization's error.
#include "lm/weights/gguf_decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ggml.h"
#include "smll/error.h"

namespace smll::weights {
namespace {

constexpr ggml_type kTypes[] = {GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q4_0,
                                GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q8_0,
                                GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K,
                                GGML_TYPE_Q6_K};

constexpr std::size_t kColumns = 512;

struct Encoded {
  std::vector<std::uint8_t> bytes;
  std::vector<float> expected;
  TensorInfo tensor;
};

Encoded encode(ggml_type type) {
  // ggml's half tables are filled by its first context.
  ggml_free(ggml_init({1024, nullptr, true}));
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::vector<float> x(kColumns);
  for (float& v : x) v = normal(random);
  Encoded e;
  e.bytes.resize(ggml_row_size(type, kColumns));
  e.expected = x;
  if (type == GGML_TYPE_F32) {
    std::copy_n(reinterpret_cast<const std::uint8_t*>(x.data()), e.bytes.size(), e.bytes.data());
  } else {
    ggml_quantize_chunk(type, x.data(), e.bytes.data(), 0, 1, kColumns, nullptr);
    ggml_get_type_traits(type)->to_float(e.bytes.data(), e.expected.data(), kColumns);
  }
  e.tensor = {"test", type, kColumns, 1, e.bytes.size()};
  return e;
}

TEST(GgufDecode, FloatsAgreeWithGgml) {
  for (ggml_type type : kTypes) {
    const Encoded e = encode(type);
    std::vector<float> actual(kColumns);
    decode_row(e.tensor, e.bytes.data(), actual.data());
    for (std::size_t i = 0; i < kColumns; ++i) {
      ASSERT_NEAR(e.expected[i], actual[i], 1e-6f * (1.0f + std::fabs(e.expected[i])))
          << ggml_type_name(type) << " at " << i;
    }
  }
}

TEST(GgufDecode, CanonicalBlocksStandForTheSameValues) {
  for (ggml_type type : kTypes) {
    const Encoded e = encode(type);
    std::vector<float> actual(kColumns);
    float tolerance = 1e-6f;
    if (format_of(e.tensor) == Format::kU4) {
      std::vector<U4Block> blocks(kColumns / 32);
      decode_row(e.tensor, e.bytes.data(), blocks.data());
      for (std::size_t b = 0; b < blocks.size(); ++b) expand(blocks[b], &actual[32 * b]);
    } else {
      std::vector<S8Block> blocks(kColumns / 32);
      decode_row(e.tensor, e.bytes.data(), blocks.data());
      for (std::size_t b = 0; b < blocks.size(); ++b) expand(blocks[b], &actual[32 * b]);
      if (type != GGML_TYPE_Q8_0 && type != GGML_TYPE_Q5_0) tolerance = 4.0f / 254.0f;
    }
    for (std::size_t i = 0; i < kColumns; ++i) {
      ASSERT_NEAR(e.expected[i], actual[i], tolerance * (1.0f + std::fabs(e.expected[i])))
          << ggml_type_name(type) << " at " << i;
    }
  }
}

TEST(GgufDecode, RefusesWhatItCannotRead) {
  Encoded e = encode(GGML_TYPE_Q8_0);
  e.tensor.type = GGML_TYPE_IQ2_XXS;
  EXPECT_THROW(format_of(e.tensor), Error);
  e = encode(GGML_TYPE_Q8_0);
  e.tensor.columns = 33;
  EXPECT_THROW(format_of(e.tensor), Error);
  e = encode(GGML_TYPE_Q8_0);
  e.bytes[1] = 0x7c;  // the first scale becomes infinite
  std::vector<S8Block> blocks(kColumns / 32);
  EXPECT_THROW(decode_row(e.tensor, e.bytes.data(), blocks.data()), Error);
}

TEST(GgufDecode, MinusOneHundredTwentyEightIsRequantized) {
  Encoded e = encode(GGML_TYPE_Q8_0);
  e.bytes[2] = 0x80;
  std::vector<S8Block> blocks(kColumns / 32);
  decode_row(e.tensor, e.bytes.data(), blocks.data());
  EXPECT_EQ(-127, blocks[0].q[0]);
}

}  // namespace
}  // namespace smll::weights
