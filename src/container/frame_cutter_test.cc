#include "container/frame_cutter.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace smll::container {
namespace {

constexpr std::size_t kBlock = FrameCutter::kBlock;

// 'T' blocks want the model, all others do not.
bool is_text(ByteView block) { return block[0] == 'T'; }

std::vector<Bytes> cut(const Bytes& data, FrameCutter::Limits limits, std::size_t step) {
  std::vector<Bytes> frames;
  FrameCutter cutter(limits, is_text,
                     [&](ByteView frame) { frames.emplace_back(frame.begin(), frame.end()); });
  for (std::size_t at = 0; at < data.size(); at += step) {
    cutter.write(ByteView(data).subspan(at, std::min(step, data.size() - at)));
  }
  cutter.flush();
  return frames;
}

Bytes joined(const std::vector<Bytes>& frames) {
  Bytes all;
  for (const Bytes& frame : frames) all.insert(all.end(), frame.begin(), frame.end());
  return all;
}

TEST(FrameCutter, CutsWhereTheNatureChanges) {
  Bytes data(2 * kBlock, 'T');
  data.insert(data.end(), 3 * kBlock, 'B');
  data.insert(data.end(), 100, 'T');
  const std::vector<Bytes> frames = cut(data, {16 * kBlock, 16 * kBlock}, 1000);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].size(), 2 * kBlock);
  EXPECT_EQ(frames[1].size(), 3 * kBlock);
  EXPECT_EQ(joined(frames), data);
}

TEST(FrameCutter, KeepsFramesWithinTheirLimits) {
  Bytes data(9 * kBlock + 17, 'T');
  data.insert(data.end(), 20 * kBlock, 'B');
  const std::vector<Bytes> frames = cut(data, {4 * kBlock, 8 * kBlock}, 70001);
  EXPECT_EQ(joined(frames), data);
  for (const Bytes& frame : frames) {
    EXPECT_LE(frame.size(), (is_text(frame) ? 4 : 8) * kBlock);
  }
}

TEST(FrameCutter, CutsTextAtLineEnds) {
  Bytes data(5 * kBlock, 'T');
  data[4 * kBlock - 100] = '\n';
  const std::vector<Bytes> frames = cut(data, {4 * kBlock, 4 * kBlock}, data.size());
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].size(), 4 * kBlock - 99);
}

TEST(FrameCutter, TinyLimitsWork) {
  const Bytes data(1000, 'T');
  const std::vector<Bytes> frames = cut(data, {7, 7}, 13);
  EXPECT_EQ(joined(frames), data);
  for (const Bytes& frame : frames) EXPECT_LE(frame.size(), 7u);
}

TEST(FrameCutter, NothingGivesNoFrame) { EXPECT_TRUE(cut({}, {10, 10}, 1).empty()); }

}  // namespace
}  // namespace smll::container
