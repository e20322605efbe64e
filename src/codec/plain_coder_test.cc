// Frames without the language model.
#include "codec/plain_coder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "smll/error.h"

namespace smll::codec {
namespace {

template <class Work>
double seconds(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(PlainCoder, DamageCostsNoMoreThanItsBytes) {
  std::vector<std::uint8_t> text(30000), noise(20);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = "a text of lines\n"[i * i % 16];
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<std::uint8_t>(i * 167 + 90);
  const double whole = seconds([&] { encode_cm(text, Method::kCm, false, {}); });
  const double damaged =
      seconds([&] { EXPECT_THROW(decode_cm(noise, text.size(), Method::kCm, false, {}), Error); });
  EXPECT_LT(damaged, whole / 3);
}

}  // namespace
}  // namespace smll::codec
