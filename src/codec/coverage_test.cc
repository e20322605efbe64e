#include "codec/coverage.h"

#include <gtest/gtest.h>

#include <string>

namespace smll::codec {
namespace {

using Chosen = std::vector<std::size_t>;

std::vector<std::size_t> sizes_of(const std::vector<std::string_view>& records) {
  std::vector<std::size_t> sizes;
  for (const std::string_view record : records) sizes.push_back(record.size());
  return sizes;
}

const std::vector<std::string_view> kRecords = {
    "nothing like any of the others", "status half-installed package",
    "status half-installed other", "unpack the archive of a package",
    "unpack the archive of another"};

TEST(Coverage, TakesWhatIsSharedOnce) {
  const Coverage coverage(kRecords);
  const Chosen chosen = coverage.choose(coverage.shared(), sizes_of(kRecords), 1000);
  // One of each kind; its twin adds nothing that another record has.
  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_NE(chosen[0] <= 2, chosen[1] <= 2);
  EXPECT_NE(chosen[0], 0u);
  EXPECT_NE(chosen[1], 0u);
}

TEST(Coverage, StaysWithinTheBudget) {
  const Coverage coverage(kRecords);
  EXPECT_TRUE(coverage.choose(coverage.shared(), sizes_of(kRecords), 20).empty());
  EXPECT_EQ(coverage.choose(coverage.shared(), sizes_of(kRecords), 35).size(), 1u);
  std::vector<std::size_t> sizes = sizes_of(kRecords);
  sizes[1] = sizes[2] = 0;
  const Chosen chosen = coverage.choose(coverage.shared(), sizes, 1000);
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_GE(chosen[0], 3u);
}

TEST(Coverage, WhatIsDearComesFirst) {
  const Coverage coverage(kRecords);
  std::vector<std::vector<float>> costs(kRecords.size());
  const auto first = [&] {
    return coverage.choose(coverage.shared_and_dear(costs), sizes_of(kRecords), 1000);
  };
  EXPECT_TRUE(first().empty());
  costs[1].assign(kRecords[1].size(), 4.0F);
  costs[3].assign(kRecords[3].size(), 0.5F);
  ASSERT_FALSE(first().empty());
  EXPECT_LE(first()[0], 2u);
  costs[3].assign(kRecords[3].size(), 40.0F);
  EXPECT_GE(first()[0], 3u);
}

}  // namespace
}  // namespace smll::codec
