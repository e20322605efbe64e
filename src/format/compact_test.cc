#include "format/compact.h"

#include <gtest/gtest.h>

#include "format/records.h"

namespace smll::format {
namespace {

const Bytes kRaw = {'s', 'o', 'm', 'e', ' ', 't', 'e', 'x', 't'};

TEST(Compact, AddsTwoBytes) {
  const Bytes packed = pack_compact(Method::kCm, kRaw, kRaw);
  EXPECT_EQ(packed.size(), kRaw.size() + 2);
  EXPECT_TRUE(is_compact(packed));
  EXPECT_EQ(compact_method(packed), Method::kCm);
  EXPECT_TRUE(compact_content_fits(packed, kRaw));
}

TEST(Compact, IsNoFile) {
  for (int number = 0; number < kMethods; ++number) {
    const auto method = static_cast<Method>(number);
    if (!is_method(static_cast<std::uint8_t>(number)) || needs_model(method)) continue;
    const Bytes packed = pack_compact(method, kRaw, kRaw);
    EXPECT_NE(packed[0], kMagic[0]);
    EXPECT_TRUE(is_compact(packed));
    EXPECT_EQ(compact_method(packed), method);
  }
  EXPECT_FALSE(is_compact(Bytes{kMagic[0], 'm', 'l'}));
  EXPECT_FALSE(is_compact(Bytes{'a', 'b'}));
  EXPECT_FALSE(is_compact(Bytes{0x80}));
}

TEST(Compact, OtherContentIsNoticed) {
  const Bytes packed = pack_compact(Method::kStored, kRaw, kRaw);
  int noticed = 0;
  for (int i = 0; i < 4096; ++i) {
    Bytes other = kRaw;
    other.push_back(static_cast<std::uint8_t>(i));
    other.push_back(static_cast<std::uint8_t>(i >> 8));
    noticed += !compact_content_fits(packed, other);
  }
  EXPECT_GE(noticed, 4080);
}

std::string refusal(std::uint8_t first) {
  const Bytes data = {first, 0, 0};
  EXPECT_TRUE(is_compact(data)) << int{first};
  try {
    compact_method(data);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    return error.what();
  }
  return "";
}

TEST(Compact, WhatOtherVersionsWriteIsRefusedWithWhatToDo) {
  for (const std::uint8_t before : {0xC0, 0xCF, 0xD0}) {
    EXPECT_NE(refusal(before).find("before 1.0"), std::string::npos) << int{before};
  }
  EXPECT_NE(refusal(0xF0).find("later smll"), std::string::npos);
}

}  // namespace
}  // namespace smll::format
