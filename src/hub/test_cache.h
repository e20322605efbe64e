// A cache of its own for each test.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace smll::hub {

class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "smll-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    ::setenv("SMLL_CACHE", pattern.c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("SMLL_CACHE");
    std::filesystem::remove_all(directory_);
  }

  std::filesystem::path directory_;
};

}  // namespace smll::hub
