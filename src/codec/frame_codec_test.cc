// Which method a frame gets.
#include "codec/frame_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "codec/plain_coder.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

std::vector<std::uint8_t> noise(std::size_t size) {
  std::mt19937 random(7);
  std::vector<std::uint8_t> bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() >> 24);
  return bytes;
}

// 16-bit samples of two tones and a little noise: nothing repeats, so zstd finds nothing.
std::vector<std::uint8_t> tones(std::size_t samples) {
  std::mt19937 random(7);
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < samples; ++i) {
    const double at = static_cast<double>(i);
    const int sample = static_cast<int>(9000 * std::sin(at / 17.3) + 3000 * std::sin(at / 5.1)) +
                       static_cast<int>(random() >> 24);
    bytes.push_back(static_cast<std::uint8_t>(sample & 255));
    bytes.push_back(static_cast<std::uint8_t>(sample >> 8 & 255));
  }
  return bytes;
}

TEST(FrameCodec, RandomBytesAreStoredAfterASample) {
  const std::vector<std::uint8_t> data = noise(100000);
  bool asked_all = false;
  const format::Frame frame = FrameCodec(nullptr).encode(data, {Experts::kAll, 0}, nullptr,
                                                         [&](auto...) { asked_all = true; });
  EXPECT_EQ(frame.method, format::Method::kStored);
  EXPECT_EQ(frame.payload, data);
  EXPECT_FALSE(asked_all);
}

TEST(FrameCodec, EnglishIsReadBeforeEnglish) {
  const std::string text =
      "Nobody had told the children that their friend would not come to the village that evening; "
      "they waited near the river until it was quite dark, and then walked home without a word.";
  const std::vector<std::uint8_t> data(text.begin(), text.end());
  FrameCodec codec(nullptr);
  const format::Frame frame = codec.encode(data, {Experts::kCm, 0});
  EXPECT_EQ(frame.method, format::Method::kCmEnglish);
  EXPECT_LT(frame.payload.size() * 10, encode_cm(data, format::Method::kCm, false, {}).size() * 9);
  EXPECT_EQ(codec.decode(frame.method, data.size(), frame.payload), data);
  const format::Frame compact = codec.encode_compact(data, Experts::kCm).frame;
  EXPECT_EQ(compact.method, format::Method::kCmEnglish);
  EXPECT_EQ(codec.decode_compact(compact.method, compact.payload, data.size()), data);
  EXPECT_THROW(codec.decode_compact(compact.method, compact.payload, data.size() - 1), Error);
}

TEST(FrameCodec, ACompactTextCanBeCancelled) {
  const std::string text(20000, 'x');
  const std::vector<std::uint8_t> data(text.begin(), text.end());
  FrameCodec codec(nullptr);
  int calls = 0;
  const Progress count = [&](std::size_t bytes, std::uint64_t) {
    ++calls;
    EXPECT_LE(bytes, data.size());
  };
  const Progress stop = [](auto...) { throw Error(ErrorKind::kIo, "stop"); };
  codec.encode_compact(data, Experts::kCm, count);
  EXPECT_GT(calls, 10);
  EXPECT_THROW(codec.encode_compact(data, Experts::kCm, stop), Error);
  const std::vector<std::uint8_t> payload = encode_cm(data, format::Method::kCm, true, {});
  EXPECT_EQ(codec.decode_compact(format::Method::kCm, payload, data.size(), count), data);
  EXPECT_THROW(codec.decode_compact(format::Method::kCm, payload, data.size(), stop), Error);
}

TEST(FrameCodec, WhatOnlyContextModelsShortenIsNotTakenForRandom) {
  const std::vector<std::uint8_t> data = tones(10000);
  FrameCodec codec(nullptr);
  const format::Frame frame = codec.encode(data, {Experts::kAll, 0});
  EXPECT_EQ(frame.method, format::Method::kCm);
  EXPECT_LT(frame.payload.size(), data.size() * 9 / 10);
  EXPECT_EQ(codec.decode(frame.method, frame.raw_size, frame.payload), data);
}

}  // namespace
}  // namespace smll::codec
