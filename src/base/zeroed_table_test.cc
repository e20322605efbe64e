#include "base/zeroed_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace smll {
namespace {

// A few bytes, and so many that large pages are asked for, which begin and end anywhere.
constexpr std::size_t kSizes[] = {1, 1000, (std::size_t{9} << 20) + 5};

TEST(ZeroedTable, BeginsAsZerosOnACacheLineHoweverMemoryWasUsedBefore) {
  for (const std::size_t size : kSizes) {
    for (int round = 0; round < 2; ++round) {
      ZeroedTable<std::uint8_t> table(size);
      ASSERT_EQ(table.size(), size);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(table.data()) % 64, 0u);
      EXPECT_EQ(std::count(table.data(), table.data() + size, 0),
                static_cast<std::ptrdiff_t>(size));
      std::fill_n(table.data(), size, std::uint8_t{255});
    }
  }
}

TEST(ZeroedTable, CopiesAreTheirOwn) {
  for (const std::size_t size : kSizes) {
    ZeroedTable<std::uint8_t> table(size);
    table[size - 1] = 7;
    ZeroedTable<std::uint8_t> copy(table);
    EXPECT_EQ(copy[size - 1], 7);
    copy[size - 1] = 9;
    EXPECT_EQ(table[size - 1], 7);
    const ZeroedTable<std::uint8_t> moved(std::move(copy));
    EXPECT_EQ(moved[size - 1], 9);
    EXPECT_EQ(moved.size(), size);
  }
}

TEST(ZeroedTable, ASizeThatNoMemoryHoldsIsRefused) {
  const std::size_t most = static_cast<std::size_t>(-1);
  EXPECT_THROW(ZeroedTable<std::uint64_t>(most / 4), std::bad_alloc);
  EXPECT_THROW(ZeroedTable<std::uint8_t>(most / 2), std::bad_alloc);
}

}  // namespace
}  // namespace smll
