#include "format/compact.h"

#include <gtest/gtest.h>

#include "format/records.h"

namespace smll::format {
namespace {

const Bytes kRaw = {'s', 'o', 'm', 'e', ' ', 't', 'e', 'x', 't'};

TEST(Compact, AddsTwoBytes) {
  const Bytes packed = pack_compact(Method::kMixed, kRaw, kRaw, 42);
  EXPECT_EQ(packed.size(), kRaw.size() + 2);
  EXPECT_TRUE(is_compact(packed));
  EXPECT_EQ(compact_method(packed), Method::kMixed);
  EXPECT_TRUE(compact_content_fits(packed, kRaw, 42));
}

TEST(Compact, IsNoFile) {
  for (int method = 0; method < kMethods; ++method) {
    if (!is_method(static_cast<std::uint8_t>(method))) continue;
    const Bytes packed = pack_compact(static_cast<Method>(method), kRaw, kRaw, 1);
    EXPECT_NE(packed[0], kMagic[0]);
    EXPECT_TRUE(is_compact(packed));
    EXPECT_EQ(static_cast<int>(compact_method(packed)), method);
  }
  EXPECT_FALSE(is_compact(Bytes{kMagic[0], 'm', 'l'}));
  EXPECT_FALSE(is_compact(Bytes{'a', 'b'}));
  EXPECT_FALSE(is_compact(Bytes{0x80}));
}

TEST(Compact, OtherContentIsNoticed) {
  const Bytes packed = pack_compact(Method::kStored, kRaw, kRaw, 0);
  int noticed = 0;
  for (int i = 0; i < 4096; ++i) {
    Bytes other = kRaw;
    other.push_back(static_cast<std::uint8_t>(i));
    other.push_back(static_cast<std::uint8_t>(i >> 8));
    noticed += !compact_content_fits(packed, other, 0);
  }
  EXPECT_GE(noticed, 4080);
}

TEST(Compact, AnotherModelIsNoticedBeforeDecoding) {
  const Bytes packed = pack_compact(Method::kMixed, kRaw, kRaw, 1234);
  int refused = 0;
  for (std::uint64_t identity = 2000; identity < 3000; ++identity) {
    refused += !compact_model_fits(packed, identity);
  }
  EXPECT_GT(refused, 900);
  EXPECT_TRUE(compact_model_fits(pack_compact(Method::kStored, kRaw, kRaw, 1), 2));
}

}  // namespace
}  // namespace smll::format
