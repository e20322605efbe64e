#include "api/model_source.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "base/bytes_read.h"
#include "lm/test_models.h"

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
    ::unsetenv("SMLL_MODEL");
    options_.model = lm::test_model();
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
  LoadedModelPtr model;
  try {
    model = source.for_writing();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUsage) throw;
    GTEST_SKIP() << error.what();  // a build without llama.cpp
  }
  format::ModelRecord record = ModelSource::record_of(*model);
  record.set_up = "\x1b[31m\xff";
  ModelSource(options_).for_reading(record);
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_NE(notices_[0].find("'?[31m?'"), std::string::npos) << notices_[0];
}

// Whoever is told may wait for a thread that asks the same source.
TEST_F(ModelSourceTest, NoticesAreGivenWithoutALock) {
  using namespace std::chrono_literals;
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", cache_.c_str(), 1);  // without pip there is no download
  options_.model = "";
  std::future<std::optional<ModelInfo>> asked;
  bool answered = false;
  ModelSource* asking = nullptr;
  options_.notice = [&](const std::string&) {
    asked = std::async(std::launch::async, [&] { return asking->info(); });
    answered = asked.wait_for(10s) == std::future_status::ready;
  };
  ModelSource source(options_);
  asking = &source;
  EXPECT_THROW(source.for_writing(), Error);
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_TRUE(asked.valid());
  EXPECT_TRUE(answered);
}

TEST_F(ModelSourceTest, WhatWasLoadedIsKeptWhateverBecomesOfTheFile) {
  const std::filesystem::path copy = cache_ / "copy.gguf";
  std::filesystem::copy_file(options_.model, copy);
  options_.model = copy.string();
  ModelSource source(options_);
  const LoadedModelPtr model = source.for_writing();
  std::filesystem::remove(copy);
  EXPECT_EQ(source.for_writing(), model);
  EXPECT_EQ(source.for_reading_compact(), model);
  EXPECT_EQ(source.for_reading(ModelSource::record_of(*model)), model);
}

// Windows, learning, texts and archives: one process reads a model's file once.
TEST_F(ModelSourceTest, AProcessReadsAFileOnce) {
  if (!bytes_read()) GTEST_SKIP() << "the system does not say how much was read";
  const std::filesystem::path copy = cache_ / "copy.gguf";
  std::filesystem::copy_file(options_.model, copy);
  options_.model = copy.string();
  std::uint64_t before = *bytes_read();
  const Model first(options_);
  first.load();
  const std::uint64_t once = *bytes_read() - before;
  ASSERT_GE(once, std::filesystem::file_size(copy) / 2);
  before = *bytes_read();
  ModelOptions reading;
  reading.model = copy.string();
  const std::string text(300, 'x');
  WriteOptions write;
  write.experts = Experts::kLlm;
  for (const bool learns : {false, true}) {
    for (const int window : {2048, 4096}) {
      options_.window = window;
      options_.learns = learns;
      MemorySink sink;
      Writer writer(Model(options_), write, sink);
      writer.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
      writer.finish();
      MemorySource source(sink.bytes());
      Reader reader(Model(reading), {}, source);
      Bytes back(text.size() + 1);
      ASSERT_EQ(reader.read(back), text.size());
    }
  }
  EXPECT_LT(*bytes_read() - before, once / 2);
}

}  // namespace
}  // namespace smll::api
