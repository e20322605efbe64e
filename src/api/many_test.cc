// Many texts at once: each as if it were alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "lm/test_models.h"
#include "smll/models.h"
#include "smll/smll.h"

namespace smll {
namespace {

Model model_at(const std::string& path) {
  ModelOptions options;
  options.model = path;
  options.threads = 2;
  options.window = 64;
  options.download = false;
  return Model(options);
}

WriteOptions with(Experts experts, Progress progress = {}) {
  WriteOptions options;
  options.experts = experts;
  options.progress = std::move(progress);
  return options;
}

Bytes text(std::size_t size, int seed = 0) {
  Bytes data;
  for (int line = seed; data.size() < size; ++line) {
    const std::string words = "line " + std::to_string(line * 7919 % 1000) + " of a text\n";
    data.insert(data.end(), words.begin(), words.end());
  }
  data.resize(size);
  return data;
}

Bytes noise(std::size_t size) {
  std::mt19937 random(1);
  Bytes data(size);
  for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(random());
  return data;
}

std::vector<ByteView> views(const std::vector<Bytes>& items) {
  return {items.begin(), items.end()};
}

std::vector<Bytes> bytes_of(std::vector<Result> results) {
  std::vector<Bytes> bytes;
  for (Result& result : results) {
    EXPECT_FALSE(result.error) << result.error->what();
    bytes.push_back(std::move(result.bytes));
  }
  return bytes;
}

std::uint64_t total(const std::vector<Bytes>& items) {
  std::uint64_t sum = 0;
  for (const Bytes& item : items) sum += item.size();
  return sum;
}

std::vector<Bytes> one_by_one(const Compressor& compressor, const std::vector<Bytes>& texts) {
  std::vector<Bytes> archives;
  for (const Bytes& each : texts) archives.push_back(compressor.compress(each));
  return archives;
}

std::vector<Bytes> messages(int count) {
  std::vector<Bytes> texts;
  for (int i = 0; i < count; ++i) texts.push_back(text(static_cast<std::size_t>(5 + 7 * i), i));
  return texts;
}

TEST(Many, EqualsSingleCallsWithoutAModel) {
  const auto check = [](Experts experts, const std::vector<Bytes>& texts) {
    const Compressor compressor(model_at("none.gguf"), with(experts));
    const std::vector<Bytes> archives = one_by_one(compressor, texts);
    EXPECT_EQ(bytes_of(compressor.compress_many(views(texts))), archives);
    EXPECT_EQ(bytes_of(compressor.decompress_many(views(archives))), texts);
  };
  check(Experts::kCm, {{}, text(200), noise(100)});
  check(Experts::kCmFast, {{}, text(kCompactLimit + 1), noise(kCompactLimit), text(40)});
}

TEST(Many, TakesStringsAndNothing) {
  const Compressor compressor(model_at("none.gguf"), with(Experts::kCmFast));
  const std::vector<std::string_view> texts = {"a text", "", "and another"};
  const std::vector<Result> results = compressor.compress_many(texts);
  ASSERT_EQ(results.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(results[i].bytes, compressor.compress(texts[i]));
  }
  EXPECT_TRUE(compressor.compress_many(std::vector<ByteView>()).empty());
  EXPECT_TRUE(compressor.decompress_many({}).empty());
}

TEST(Many, AFailedItemHurtsNoOther) {
  const Compressor compressor(model_at("none.gguf"), with(Experts::kCmFast));
  const std::vector<Bytes> texts = {text(300),   {},        text(70000), noise(50),
                                    text(90000), text(500), text(20)};
  std::vector<Bytes> archives = one_by_one(compressor, texts);
  const std::vector<std::size_t> damaged = {0, 1, 4, 6};
  archives[0][archives[0].size() / 2] ^= 1;
  archives[1].clear();
  archives[4][archives[4].size() / 2] ^= 1;
  archives[6] = {'h', 'e', 'l', 'l', 'o'};
  const std::vector<Result> results = compressor.decompress_many(views(archives));
  ASSERT_EQ(results.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (std::find(damaged.begin(), damaged.end(), i) == damaged.end()) {
      EXPECT_FALSE(results[i].error) << i;
      EXPECT_EQ(results[i].bytes, texts[i]) << i;
      continue;
    }
    ASSERT_TRUE(results[i].error) << i;
    EXPECT_TRUE(results[i].bytes.empty()) << i;
    try {
      compressor.decompress(archives[i]);
      ADD_FAILURE() << i;
    } catch (const Error& error) {
      EXPECT_EQ(results[i].error->kind(), error.kind()) << i;
      EXPECT_STREQ(results[i].error->what(), error.what()) << i;
    }
  }
}

TEST(Many, LimitsCountForEachItem) {
  const Compressor compressor(model_at("none.gguf"), with(Experts::kCmFast));
  const std::vector<Bytes> texts = {text(100), text(70000), text(101), text(100), {}};
  const std::vector<Bytes> archives = one_by_one(compressor, texts);
  const std::vector<Result> results =
      compressor.decompress_many(views(archives), {.max_bytes = 100});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() <= 100) {
      EXPECT_FALSE(results[i].error) << i;
      EXPECT_EQ(results[i].bytes, texts[i]) << i;
    } else {
      ASSERT_TRUE(results[i].error) << i;
      EXPECT_EQ(results[i].error->kind(), ErrorKind::kMemory) << i;
    }
  }
  for (const Limits& limits : {Limits{.max_memory = 1}, Limits{.max_seconds = 1e-9}}) {
    const std::vector<Result> none = compressor.decompress_many(views(archives), limits);
    ASSERT_TRUE(none[1].error);
    EXPECT_EQ(none[1].error->kind(), ErrorKind::kMemory);
  }
}

TEST(Many, ProgressCountsAllItems) {
  const Compressor quiet(model_at("none.gguf"), with(Experts::kCmFast));
  const std::vector<Bytes> texts = {text(3000), {}, text(70000), noise(50), text(500)};
  const std::vector<Bytes> archives = one_by_one(quiet, texts);
  Stats last;
  const Progress progress = [&, caller = std::this_thread::get_id()](const Stats& stats) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_GE(stats.items, last.items);
    EXPECT_GE(stats.raw_bytes, last.raw_bytes);
    EXPECT_GE(stats.archive_bytes, last.archive_bytes);
    last = stats;
  };
  const auto expect_all = [&] {
    EXPECT_EQ(last.items, texts.size());
    EXPECT_EQ(last.raw_bytes, total(texts));
    EXPECT_EQ(last.archive_bytes, total(archives));
    last = {};
  };
  quiet.compress_many(views(texts), progress);
  expect_all();
  quiet.decompress_many(views(archives), {}, progress);
  expect_all();
  const Compressor telling(model_at("none.gguf"), with(Experts::kCmFast, progress));
  telling.compress_many(views(texts));
  expect_all();
  telling.decompress_many(views(archives));
  expect_all();
  const Progress others = [](const Stats& /*unused*/) {};
  telling.compress_many(views(texts), others);
  telling.decompress_many(views(archives), {}, others);
  EXPECT_EQ(last.items, 0u) << "the call's own progress takes the options' place";
}

TEST(Many, ProgressCountsItemsThatFail) {
  const Compressor compressor(model_at("none.gguf"), with(Experts::kCmFast));
  const std::vector<Bytes> texts = {text(300), text(400), text(500)};
  std::vector<Bytes> archives = one_by_one(compressor, texts);
  archives[1][archives[1].size() / 2] ^= 1;
  Stats last;
  compressor.decompress_many(views(archives), {}, [&](const Stats& stats) { last = stats; });
  EXPECT_EQ(last.items, 3u);
  EXPECT_EQ(last.archive_bytes, total(archives));
  EXPECT_EQ(last.raw_bytes, 800u);
}

TEST(Many, ProgressCancelsAll) {
  struct Stop {};
  const Compressor compressor(model_at("none.gguf"), with(Experts::kCmFast));
  const std::vector<Bytes> texts = {text(5000), text(20000), text(200), text(300)};
  const std::vector<Bytes> archives = one_by_one(compressor, texts);
  // Once, as soon as it is called or behind an item: neither an Error nor bad_alloc is the item's.
  const auto expect_cancelled = [&](std::uint64_t after, const auto& exception) {
    bool thrown = false;
    const Progress once = [&](const Stats& stats) {
      if (stats.items >= after && !std::exchange(thrown, true)) throw exception;
    };
    using Exception = std::remove_cvref_t<decltype(exception)>;
    EXPECT_THROW(compressor.compress_many(views(texts), once), Exception) << after;
    thrown = false;
    EXPECT_THROW(compressor.decompress_many(views(archives), {}, once), Exception) << after;
  };
  for (const std::uint64_t after : {0, 1, 4}) {
    expect_cancelled(after, Error(ErrorKind::kData, "stop"));
    expect_cancelled(after, std::bad_alloc());
    expect_cancelled(after, Stop());
  }
  EXPECT_EQ(bytes_of(compressor.compress_many(views(texts))), archives);
}

// Memory runs out where the caller is told of a download, before it begins.
TEST(Many, MemoryThatRunsOutIsTheItems) {
  const std::string cache = testing::TempDir() + "smll_many_cache";
  std::filesystem::remove_all(cache);
  setenv("SMLL_CACHE", cache.c_str(), 1);
  ModelOptions options;
  options.notice = [](const std::string& /*unused*/) { throw std::bad_alloc(); };
  options.model = list_models().front().name;  // the default one
  const Compressor compressor(Model(options), with(Experts::kAll));
  const std::vector<Bytes> texts = {{}, text(200), noise(100)};
  const std::vector<Result> results = compressor.compress_many(views(texts));
  unsetenv("SMLL_CACHE");
  EXPECT_FALSE(results[0].error);
  ASSERT_TRUE(results[1].error);
  EXPECT_EQ(results[1].error->kind(), ErrorKind::kMemory);
  EXPECT_FALSE(results[2].error);
}

class ManyWithModel : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(lm::test_model())) {
      GTEST_SKIP() << lm::test_model() << " is missing: run `make unit`, which generates it";
    }
  }
};

TEST_F(ManyWithModel, EqualsSingleCalls) {
  // All experts take much longer.
  for (const Experts experts : {Experts::kLlm, Experts::kAll}) {
    std::vector<Bytes> texts = messages(experts == Experts::kAll ? 6 : 30);
    texts.insert(texts.end(), {{}, noise(500), text(3000), noise(kCompactLimit + 1)});
    if (experts == Experts::kAll) texts.push_back(text(kCompactLimit + 1));
    const Compressor compressor(model_at(lm::test_model()), with(experts));
    const std::vector<Bytes> archives = one_by_one(compressor, texts);
    EXPECT_EQ(bytes_of(compressor.compress_many(views(texts))), archives);
    EXPECT_EQ(bytes_of(compressor.decompress_many(views(archives))), texts);
  }
}

TEST_F(ManyWithModel, DamageAndAnotherModelsTextHurtNoOther) {
  const Compressor compressor(model_at(lm::test_model()), with(Experts::kLlm));
  const std::vector<Bytes> texts = messages(20);
  std::vector<Bytes> archives = one_by_one(compressor, texts);
  for (std::size_t i = 0; i < archives.size(); i += 3) {
    archives[i][archives[i].size() / 2] ^= 0x10;
  }
  const std::vector<Result> results = compressor.decompress_many(views(archives));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(results[i].error.has_value(), i % 3 == 0) << i;
    EXPECT_EQ(results[i].bytes, i % 3 == 0 ? Bytes() : texts[i]) << i;
  }
}

TEST_F(ManyWithModel, ManyThreadsCallAtOnce) {
  const Compressor compressor(model_at(lm::test_model()), with(Experts::kLlm));
  const std::vector<Bytes> texts = messages(12);
  const std::vector<Bytes> archives = one_by_one(compressor, texts);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      EXPECT_EQ(bytes_of(compressor.compress_many(views(texts))), archives);
      EXPECT_EQ(bytes_of(compressor.decompress_many(views(archives))), texts);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A file that appears after the first item shows whether a later one looks again.
TEST_F(ManyWithModel, AModelThatIsMissingIsLookedForOnce) {
  const std::string path = testing::TempDir() + "smll_many_test.gguf";
  std::filesystem::remove(path);
  const Compressor compressor(model_at(path), with(Experts::kAll));
  const std::vector<Bytes> texts = {{}, text(100), noise(100), text(100), text(200)};
  const Progress appear = [&](const Stats& stats) {
    if (stats.items != 2 || std::filesystem::exists(path)) return;
    std::filesystem::create_symlink(std::filesystem::absolute(lm::test_model()), path);
  };
  const std::vector<Result> results = compressor.compress_many(views(texts), appear);
  for (const std::size_t failed : {1, 3, 4}) {
    ASSERT_TRUE(results[failed].error) << failed;
    EXPECT_EQ(results[failed].error->kind(), ErrorKind::kModel);
  }
  EXPECT_FALSE(results[0].error);
  EXPECT_FALSE(results[2].error);
  const std::vector<Bytes> archives = bytes_of(compressor.compress_many(views(texts)));
  EXPECT_EQ(bytes_of(compressor.decompress_many(views(archives))), texts);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace smll
