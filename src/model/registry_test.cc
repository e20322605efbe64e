#include "model/registry.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "model/sha256.h"
#include "model/subprocess.h"

namespace smll::model {
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
  remember({7, "A", path.string(), 5});
  remember({8, "A", path.string(), 5});
  remember({7, "A", path.string(), 5});
  EXPECT_EQ(seen_models().size(), 2u);
  ASSERT_TRUE(find_seen(7).has_value());
  EXPECT_EQ(find_seen(7)->path, path.string());
  file("a.gguf", "another size");
  EXPECT_FALSE(find_seen(7).has_value());
}

TEST_F(Registry, ADamagedIndexIsEmpty) {
  for (const char* content :
       {"", "{", "[]", "{\"models\": 3}", "{\"models\": [1, {\"path\": 2}]}"}) {
    file("index.json", content);
    EXPECT_NO_THROW(seen_models()) << content;
    EXPECT_FALSE(find_seen(1).has_value());
  }
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
}  // namespace smll::model
