#include "codec/dictionary.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <xxhash.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "smll/error.h"

namespace smll::codec {
namespace {

namespace fs = std::filesystem;

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

DictionaryParts some_parts() {
  std::string sample;
  for (int i = 0; i < 200; ++i) sample += "line " + std::to_string(i) + " of the sample\n";
  return {"a name", bytes_of("the opening\n"), bytes_of(sample), {1, 2, 3, 0, 255}, {7, 8}};
}

// A file's bytes with a check that fits, as who means harm makes it.
Bytes checked_again(Bytes file) {
  const std::uint64_t check = XXH3_64bits(file.data(), file.size() - 8);
  for (int i = 0; i < 8; ++i) file[file.size() - 8 + i] = static_cast<std::uint8_t>(check >> 8 * i);
  return file;
}

std::string problem_of(ByteView file) {
  try {
    Dictionary::parse(file);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    return error.what();
  }
  return "";
}

class DictionaryFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "smll-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(directory_ / name, std::ios::binary) << content;
    return (directory_ / name).string();
  }
  static std::string problem_of_loading(const std::string& path) {
    try {
      Dictionary::load(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  fs::path directory_;
};

TEST(Dictionary, ComesBackFromItsFile) {
  const Dictionary made(some_parts());
  const Bytes file = made.serialize();
  EXPECT_LT(file.size(), made.sample().size());
  const auto read = Dictionary::parse(file);
  EXPECT_EQ(read->name(), "a name");
  EXPECT_EQ(read->opening(), made.opening());
  EXPECT_EQ(read->sample(), made.sample());
  EXPECT_EQ(read->adapter(), made.adapter());
  EXPECT_EQ(read->model(), made.model());
  EXPECT_EQ(read->identity(), made.identity());
  EXPECT_EQ(read->serialize(), file);
}

TEST(Dictionary, IsKnownByEverythingButItsName) {
  const std::uint64_t identity = Dictionary(some_parts()).identity();
  DictionaryParts renamed = some_parts();
  renamed.name = "another";
  EXPECT_EQ(Dictionary(renamed).identity(), identity);
  const auto changed = [&](auto change) {
    DictionaryParts parts = some_parts();
    change(parts);
    return Dictionary(parts).identity() != identity;
  };
  EXPECT_TRUE(changed([](auto& parts) { parts.opening[0] ^= 1; }));
  EXPECT_TRUE(changed([](auto& parts) { parts.sample.pop_back(); }));
  EXPECT_TRUE(changed([](auto& parts) { parts.adapter.push_back(0); }));
  EXPECT_TRUE(changed([](auto& parts) { parts.model.weights = 0; }));
  EXPECT_TRUE(changed([](auto& parts) { parts.model.vocabulary = 0; }));
  EXPECT_TRUE(changed([](auto& parts) {
    parts.sample.insert(parts.sample.begin(), parts.opening.back());
    parts.opening.pop_back();
  }));
}

TEST(Dictionary, FitsItsModelOrAny) {
  EXPECT_TRUE(Dictionary(some_parts()).fits({7, 8}));
  EXPECT_FALSE(Dictionary(some_parts()).fits({7, 9}));
  EXPECT_TRUE(plain_dictionary("x", bytes_of("text"))->fits({7, 9}));
}

TEST(Dictionary, DamageIsRefused) {
  const Bytes file = Dictionary(some_parts()).serialize();
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_NE(problem_of(ByteView(file).first(size)), "") << size;
  }
  for (std::size_t i = 0; i < file.size(); ++i) {
    Bytes changed = file;
    changed[i] ^= 0x20;
    EXPECT_NE(problem_of(changed), "") << i;
  }
}

TEST(Dictionary, LiesAreRefusedWhateverTheCheckSays) {
  const Bytes file = Dictionary({"n", bytes_of("ab"), {}, {}, {}}).serialize();
  // Behind the header, the model and the name.
  constexpr std::size_t kOpening = 4 + 16 + 2;
  ASSERT_EQ(file[kOpening], 2);
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes changed = file;
    changed[at] = value;
    return problem_of(checked_again(changed));
  };
  EXPECT_EQ(problem_of(checked_again(file)), "");
  EXPECT_NE(with(kOpening, 1), "");      // stored in more bytes than it has
  EXPECT_NE(with(kOpening, 3), "");      // not a zstd frame
  EXPECT_NE(with(kOpening, 200), "");    // a longer number
  EXPECT_NE(with(kOpening + 1, 9), "");  // ends too early
  EXPECT_NE(with(4 + 16, 255), "");      // the name as well
  Bytes longer = file;
  longer.insert(longer.end() - 8, 0);
  EXPECT_NE(problem_of(checked_again(longer)), "");
  Bytes newer = file;
  newer[3] = 2;
  EXPECT_NE(problem_of(newer).find("newer smll"), std::string::npos);
}

// What others have must stay readable, and be known by the same number.
TEST(Dictionary, GoldenFileIsRead) {
  const Dictionary made(some_parts());
  const std::string path = std::string(SMLL_GOLDEN_DIRECTORY) + "/v1/dictionary.smlld";
  const auto golden = Dictionary::load(path);
  EXPECT_EQ(golden->identity(), 0x4f47d822eab90501U);
  EXPECT_EQ(golden->identity(), made.identity());
  EXPECT_EQ(golden->name(), made.name());
  EXPECT_EQ(golden->sample(), made.sample());
}

TEST(Dictionary, PartsHaveLimits) {
  EXPECT_THROW(Dictionary({"n", Bytes(kMaxOpening + 1), {}, {}, {}}), Error);
  EXPECT_THROW(Dictionary({"n", {1}, Bytes(kMaxSample + 1), {}, {}}), Error);
  EXPECT_THROW(Dictionary({std::string(256, 'n'), {1}, {}, {}, {}}), Error);
  EXPECT_THROW(Dictionary({"n", {}, {}, {}, {}}), Error);
  EXPECT_NO_THROW(Dictionary({"n", Bytes(kMaxOpening), Bytes(kMaxSample), {}, {}}));
}

TEST_F(DictionaryFile, OfItsOwnKind) {
  const Dictionary made(some_parts());
  const std::string path = (directory_ / "x.smlld").string();
  made.save(path);
  made.save(path);
  EXPECT_EQ(Dictionary::load(path)->identity(), made.identity());
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

TEST_F(DictionaryFile, APlainOneIsText) {
  const auto small = Dictionary::load(write("small.txt", "one\ntwo\n"));
  EXPECT_EQ(text_of(small->opening()), "one\ntwo\n");
  EXPECT_TRUE(small->sample().empty());
  EXPECT_EQ(small->name(), "small.txt");

  std::string lines;
  while (lines.size() < kMaxSample + 3 * kPlainOpening) {
    lines += "line " + std::to_string(lines.size()) + "\n";
  }
  const auto large = Dictionary::load(write("large.txt", lines));
  const std::string opening = text_of(large->opening());
  EXPECT_LE(opening.size(), kPlainOpening);
  EXPECT_GT(opening.size(), kPlainOpening - 20);
  EXPECT_TRUE(lines.ends_with("\n" + opening));
  EXPECT_TRUE(lines.ends_with(text_of(large->sample()) + opening));
  EXPECT_EQ(large->sample().size(), kMaxSample);
  // What stands too far in front counts for nothing, wherever the text comes from.
  EXPECT_EQ(Dictionary::load(write("longer", "x" + lines))->identity(), large->identity());
}

TEST_F(DictionaryFile, APlainOneWithoutLinesIsCutBetweenCharacters) {
  std::string text;
  while (text.size() < 3 * kPlainOpening) text += "\u20ac";
  const std::string opening = text_of(Dictionary::load(write("euros", text))->opening());
  EXPECT_EQ(opening.size(), kPlainOpening / 3 * 3);
  EXPECT_TRUE(opening.starts_with("\u20ac"));
}

TEST_F(DictionaryFile, WhatIsNoneIsNamed) {
  const auto problem = [&](const std::string& name, const std::string& content) {
    return problem_of_loading(write(name, content));
  };
  EXPECT_NE(problem("a", "").find("a: it is empty"), std::string::npos);
  EXPECT_NE(problem("a.smlld", "text").find("a.smlld: the dictionary is damaged"),
            std::string::npos);
  EXPECT_NE(problem("b", "\xF3ml\x01...").find("archive"), std::string::npos);
  EXPECT_NE(problem("c", "\x37\xA4\x30\xEC...").find("zstd"), std::string::npos);
  EXPECT_NE(problem_of_loading((directory_ / "none").string()).find("none"), std::string::npos);
  EXPECT_NE(problem_of_loading(directory_.string()), "");
}

}  // namespace
}  // namespace smll::codec
