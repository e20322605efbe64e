#include "hub/registry.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "base/sha256.h"
#include "hub/cache.h"
#include "hub/subprocess.h"
#include "hub/test_cache.h"
#include "smll/error.h"

namespace smll::hub {
namespace {

namespace fs = std::filesystem;

constexpr format::ModelIdentity kOne = {7, 8}, kOther = {9, 8};

std::optional<SeenModel> seen_with(std::uint64_t fingerprint, std::uint32_t window,
                                   Backend backend = Backend::kExact) {
  format::ModelRecord record;
  record.backend = backend;
  record.fingerprint = fingerprint;
  record.window = window;
  return find_seen(record);
}

std::optional<SeenModel> seen(const format::ModelIdentity& identity) {
  return seen_with(identity.fingerprint(), 2048);
}

class Registry : public CacheTest {
 protected:
  fs::path file(const std::string& name, const std::string& content) const {
    const fs::path path = directory_ / name;
    std::ofstream(path) << content;
    return path;
  }
};

TEST_F(Registry, RemembersModelsByFingerprint) {
  const fs::path path = file("a.gguf", "12345");
  EXPECT_FALSE(seen(kOne).has_value());
  remember({kOne, "A", path.string(), 5, Backend::kExact});
  remember({kOther, "A", path.string(), 5, Backend::kLlama});
  remember({kOne, "A", path.string(), 5, Backend::kExact});
  EXPECT_EQ(seen_models().size(), 2u);
  ASSERT_TRUE(seen(kOne).has_value());
  EXPECT_EQ(seen(kOne)->path, path.string());
  EXPECT_TRUE(is_present(*seen(kOne)));
  file("a.gguf", "another size");
  ASSERT_TRUE(seen(kOne).has_value());
  EXPECT_FALSE(is_present(*seen(kOne)));
}

// What was seen once is found for archives of every window.
TEST_F(Registry, AModelIsFoundWhateverTheWindow) {
  remember({kOne, "A", file("a.gguf", "12345").string(), 5, Backend::kExact});
  for (const std::uint32_t window : {2u, 2048u, 65536u}) {
    EXPECT_TRUE(seen_with(kOne.fingerprint(), window).has_value()) << window;
    EXPECT_FALSE(seen_with(kOne.fingerprint(), window, Backend::kLlama).has_value()) << window;
    // Archives of versions before 1.0 store a fingerprint with the window in it.
    const std::uint64_t before = kOne.fingerprint_before_1_0(window);
    EXPECT_TRUE(seen_with(before, window).has_value()) << window;
    EXPECT_FALSE(seen_with(before, window + 1).has_value()) << window;
  }
}

// One file gives one fingerprint with a backend; another means other content.
TEST_F(Registry, AChangedFileReplacesWhatItGaveBefore) {
  const std::string path = file("a.gguf", "12345").string();
  remember({kOne, "A", path, 5, Backend::kExact});
  remember({kOther, "A", path, 5, Backend::kExact});
  remember({kOne, "A", path, 5, Backend::kLlama});
  ASSERT_EQ(seen_models().size(), 2u);
  EXPECT_EQ(seen_models()[0].identity, kOther);
  EXPECT_EQ(seen_models()[1].identity, kOne);
}

TEST_F(Registry, ADamagedIndexIsEmpty) {
  const std::string line =
      R"({"weights": "1", "vocabulary": "2", "name": "A", "path": "/dev/null", "backend": "exact", "size": )";
  file("index.json", R"({"models": [)" + line + "0}]}");
  EXPECT_EQ(seen_models().size(), 1u);
  for (const std::string& content :
       {std::string(), std::string("{"), std::string("[]"), std::string(R"({"models": 3})"),
        std::string(R"({"models": [1, {"path": 2}]})"), R"({"models": [)" + line + "-1}]}",
        R"({"models": [)" + line + "1e300}]}", std::string(1 << 20, '['),
        std::string(std::size_t{5} << 20, ' ')}) {
    file("index.json", content);
    EXPECT_TRUE(seen_models().empty()) << content.substr(0, 100);
  }
}

TEST_F(Registry, WhatOthersMayWriteIsNotBelieved) {
  const fs::path path = file("a.gguf", "12345");
  remember({kOne, "A", path.string(), 5, Backend::kExact});
  const fs::perms others = fs::perms::group_write | fs::perms::others_write;
  for (const char* name : {"index.json", "models", ""}) {
    fs::permissions(directory_ / name, others, fs::perm_options::add);
    EXPECT_FALSE(seen(kOne).has_value()) << name;
    EXPECT_EQ(cache_problem().empty(), std::string(name) == "index.json") << name;
    fs::permissions(directory_ / name, others, fs::perm_options::remove);
    EXPECT_TRUE(seen(kOne).has_value()) << name;
  }
  fs::permissions(directory_, others, fs::perm_options::add);
  EXPECT_THROW(make_cache(), Error);
}

TEST_F(Registry, WhatItMakesItBelieves) {
  ::setenv("SMLL_CACHE", (directory_ / "new/cache").c_str(), 1);
  const mode_t mask = ::umask(0);
  remember({kOne, "A", file("a.gguf", "12345").string(), 5, Backend::kExact});
  ::umask(mask);
  EXPECT_TRUE(seen(kOne).has_value());
}

TEST_F(Registry, KnownModelsAreRecognizedByNameAndSize) {
  const KnownModel& standard = known_models().front();
  EXPECT_EQ(find_known(standard.name), &standard);
  EXPECT_EQ(find_known(standard.number), &standard);
  EXPECT_EQ(find_known("no such model"), nullptr);
  EXPECT_FALSE(is_present(standard));
  EXPECT_EQ(known_at(file(standard.file, "short")), nullptr);
}

// It is got without having been named.
TEST_F(Registry, TheDefaultModelHasNoTermsOfItsOwn) {
  EXPECT_EQ(known_models().front().terms, nullptr);
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
