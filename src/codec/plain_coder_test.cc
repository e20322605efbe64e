// Frames without the language model.
#include "codec/plain_coder.h"

#include <gtest/gtest.h>

#include <vector>

#include "smll/error.h"

namespace smll::codec {
namespace {

TEST(PlainCoder, DamageCostsNoMoreThanItsBytes) {
  std::vector<std::uint8_t> noise(20);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<std::uint8_t>(i * 167 + 90);
  for (const format::Method method :
       {format::Method::kCm, format::Method::kCmEnglish, format::Method::kCmFast}) {
    // Progress is told at every 64 KiB, the first byte among them.
    std::vector<std::size_t> reached;
    const auto progress = [&](std::size_t bytes, std::uint64_t) { reached.push_back(bytes); };
    EXPECT_THROW(decode_cm(noise, std::size_t{1} << 20, method, false, progress), Error);
    EXPECT_EQ(reached, std::vector<std::size_t>{0});
  }
}

}  // namespace
}  // namespace smll::codec
