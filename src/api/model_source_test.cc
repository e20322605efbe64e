#include "api/model_source.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace smll::api {
namespace {

// The small generated model, a cache of its own, and the notices that are given.
class ModelSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "smll-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    cache_ = pattern;
    ::setenv("SMLL_CACHE", pattern.c_str(), 1);
    const char* path = std::getenv("SMLL_TEST_MODEL");
    options_.model = path ? path : "test_model.gguf";
    options_.notice = [this](const std::string& text) { notices_.push_back(text); };
  }
  void TearDown() override {
    ::unsetenv("SMLL_CACHE");
    std::filesystem::remove_all(cache_);
  }

  std::filesystem::path cache_;
  ModelOptions options_;
  std::vector<std::string> notices_;
};

TEST_F(ModelSourceTest, ASetUpOfAnArchiveIsShownAsPrintableText) {
  options_.backend = Backend::kLlama;
  ModelSource source(options_);
  archive::ModelRecord record = ModelSource::record_of(*source.for_writing());
  record.set_up = "\x1b[31m\xff";
  ModelSource(options_).for_reading(record);
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_NE(notices_[0].find("'?[31m?'"), std::string::npos) << notices_[0];
}

}  // namespace
}  // namespace smll::api
