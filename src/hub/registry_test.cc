#include "hub/registry.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "base/sha256.h"
#include "hub/cache.h"
#include "hub/subprocess.h"
#include "smll/error.h"

namespace smll::hub {
namespace {

namespace fs = std::filesystem;

class Registry : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "smll-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    ::setenv("SMLL_CACHE", pattern.c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("SMLL_CACHE");
    fs::remove_all(directory_);
  }

  fs::path file(const std::string& name, const std::string& content) const {
    const fs::path path = directory_ / name;
    std::ofstream(path) << content;
    return path;
  }

  fs::path directory_;
};

TEST_F(Registry, RemembersModelsByFingerprint) {
  const fs::path path = file("a.gguf", "12345");
  EXPECT_FALSE(find_seen(7).has_value());
  remember({7, "A", path.string(), 5, Backend::kExact, 2048});
  remember({8, "A", path.string(), 5, Backend::kExact, 256});
  remember({7, "A", path.string(), 5, Backend::kExact, 2048});
  EXPECT_EQ(seen_models().size(), 2u);
  ASSERT_TRUE(find_seen(7).has_value());
  EXPECT_EQ(find_seen(7)->path, path.string());
  file("a.gguf", "another size");
  EXPECT_FALSE(find_seen(7).has_value());
}

// One file gives one fingerprint with a backend and a window; another means other content.
TEST_F(Registry, AChangedFileReplacesWhatItGaveBefore) {
  const std::string path = file("a.gguf", "12345").string();
  remember({7, "A", path, 5, Backend::kExact, 2048});
  remember({9, "A", path, 5, Backend::kExact, 2048});
  remember({10, "A", path, 5, Backend::kLlama, 2048});
  ASSERT_EQ(seen_models().size(), 2u);
  EXPECT_EQ(seen_models()[0].fingerprint, 9u);
  EXPECT_EQ(seen_models()[1].fingerprint, 10u);
}

TEST_F(Registry, ADamagedIndexIsEmpty) {
  const std::string line =
      R"({"fingerprint": "1", "name": "A", "path": "/dev/null", "backend": "exact", "window": 1, "size": )";
  for (const std::string& content :
       {std::string(), std::string("{"), std::string("[]"), std::string(R"({"models": 3})"),
        std::string(R"({"models": [1, {"path": 2}]})"), R"({"models": [)" + line + "-1}]}",
        R"({"models": [)" + line + "1e300}]}", std::string(1 << 20, '['),
        std::string(std::size_t{5} << 20, ' ')}) {
    file("index.json", content);
    EXPECT_TRUE(seen_models().empty()) << content.substr(0, 100);
    EXPECT_FALSE(find_seen(1).has_value());
  }
}

TEST_F(Registry, WhatOthersMayWriteIsNotBelieved) {
  const fs::path path = file("a.gguf", "12345");
  remember({7, "A", path.string(), 5, Backend::kExact, 2048});
  const fs::perms others = fs::perms::group_write | fs::perms::others_write;
  for (const char* name : {"index.json", "models", ""}) {
    fs::permissions(directory_ / name, others, fs::perm_options::add);
    EXPECT_FALSE(find_seen(7).has_value()) << name;
    EXPECT_EQ(cache_problem().empty(), std::string(name) == "index.json") << name;
    fs::permissions(directory_ / name, others, fs::perm_options::remove);
    EXPECT_TRUE(find_seen(7).has_value()) << name;
  }
  fs::permissions(directory_, others, fs::perm_options::add);
  EXPECT_THROW(make_cache(), Error);
}

TEST_F(Registry, WhatItMakesItBelieves) {
  ::setenv("SMLL_CACHE", (directory_ / "new/cache").c_str(), 1);
  const mode_t mask = ::umask(0);
  remember({7, "A", file("a.gguf", "12345").string(), 5, Backend::kExact, 2048});
  ::umask(mask);
  EXPECT_TRUE(find_seen(7).has_value());
}

TEST_F(Registry, KnownModelsAreRecognizedByNameAndSize) {
  const KnownModel& standard = known_models().front();
  EXPECT_EQ(find_known(standard.name), &standard);
  EXPECT_EQ(find_known(standard.number), &standard);
  EXPECT_EQ(find_known("no such model"), nullptr);
  EXPECT_FALSE(is_present(standard));
  EXPECT_EQ(known_at(file(standard.file, "short")), nullptr);
}

TEST_F(Registry, HashesFiles) {
  EXPECT_EQ(sha256_of_file(file("abc", "abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HubSpec, IsSplit) {
  EXPECT_FALSE(parse_hub_spec("model.gguf").has_value());
  EXPECT_EQ(parse_hub_spec("hf:owner/name:*q8_0.gguf")->repository, "owner/name");
  EXPECT_EQ(parse_hub_spec("hf:owner/name:*q8_0.gguf")->glob, "*q8_0.gguf");
  EXPECT_EQ(parse_hub_spec("hf:owner/name")->glob, "*.gguf");
}

TEST(Subprocess, GivesOutputErrorsAndStatus) {
  const ProcessResult result =
      run_process({"sh", "-c", "echo out; echo $VALUE >&2; exit 3"}, {{"VALUE", "err"}});
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(run_process({"smll-no-such-program"}, {}).status, 127);
}

}  // namespace
}  // namespace smll::hub
