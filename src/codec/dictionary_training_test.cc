#include "codec/dictionary_training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codec/opening_costs.h"
#include "lm/test_models.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

std::shared_ptr<const LoadedModel> model(int threads, const std::string& isa = "") {
  LoadOptions options;
  options.threads = threads;
  options.isa = isa;
  return LoadedModel::load(lm::test_model(), options);
}

std::vector<std::string> texts(std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back("the " + std::to_string(i * 7919 % 1000) + " of the " + std::to_string(i % 10));
  }
  return texts;
}

std::vector<ByteView> views(const std::vector<std::string>& texts) {
  std::vector<ByteView> views;
  for (const std::string& text : texts) {
    views.emplace_back(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  }
  return views;
}

TrainingOptions quick() {
  TrainingOptions options;
  options.opening_bytes = 200;
  options.sample_bytes = 1000;
  options.minutes = 0.02;
  return options;
}

TEST(DictionaryTraining, IsTheSameWithAnyThreadsAndInstructions) {
  const std::vector<std::string> records = texts(100);
  const auto one = train_dictionary(views(records), *model(1, "scalar"), quick());
  const auto two = train_dictionary(views(records), *model(2), quick());
  EXPECT_EQ(one.dictionary->identity(), two.dictionary->identity());
  EXPECT_EQ(one.bytes_with, two.bytes_with);
  EXPECT_EQ(one.dictionary->model(), model(1)->identity());
}

TEST(DictionaryTraining, TakesWholeRecordsThatWereNotHeldBack) {
  const std::vector<std::string> records = texts(100);
  const auto result = train_dictionary(views(records), *model(1), quick());
  const std::set<std::string> known(records.begin(), records.end());
  std::set<std::string> used;
  for (const Bytes* part : {&result.dictionary->opening(), &result.dictionary->sample()}) {
    std::string line;
    for (const std::uint8_t byte : *part) {
      if (byte != '\n') {
        line += static_cast<char>(byte);
        continue;
      }
      EXPECT_TRUE(known.contains(line)) << line;
      EXPECT_TRUE(used.insert(line).second) << line;
      line.clear();
    }
    EXPECT_EQ(line, "");
  }
  EXPECT_LE(used.size(), 75u);
  EXPECT_EQ(result.records, 100u);
  EXPECT_GT(result.measured, 5u);
}

TEST(DictionaryTraining, TellsHowFarItIs) {
  std::uint64_t last = 0, all = 0;
  train_dictionary(views(texts(50)), *model(1), quick(),
                   [&](std::uint64_t done, std::uint64_t total) {
                     EXPECT_GE(done, last);
                     EXPECT_LE(done, total);
                     EXPECT_TRUE(all == 0 || all == total);
                     last = done;
                     all = total;
                   });
  EXPECT_GT(last, all / 2);
}

TEST(DictionaryTraining, LongRecordsAreCut) {
  std::vector<std::string> records;
  for (int i = 0; i < 10; ++i) {
    std::string record;
    while (record.size() < 3000) record += "\u20ac and " + std::to_string(record.size() + i) + " ";
    records.push_back(record);
  }
  const auto result = train_dictionary(views(records), *model(1), quick());
  EXPECT_GT(result.dictionary->opening().size(), 100u);
  EXPECT_LE(result.dictionary->opening().size(), 200u);
}

TEST(DictionaryTraining, RefusesWhatItCannotDo) {
  const auto loaded = model(1);
  const auto kind_of = [&](std::size_t count, auto change) {
    TrainingOptions options = quick();
    change(options);
    try {
      train_dictionary(views(texts(count)), *loaded, options);
    } catch (const Error& error) {
      return std::optional(error.kind());
    }
    return std::optional<ErrorKind>();
  };
  EXPECT_EQ(kind_of(kFewestRecords - 1, [](auto&) {}), ErrorKind::kData);
  EXPECT_EQ(kind_of(kFewestRecords, [](auto&) {}), std::nullopt);
  EXPECT_EQ(kind_of(20, [](auto& o) { o.minutes = 0; }), ErrorKind::kUsage);
  EXPECT_EQ(kind_of(20, [](auto& o) { o.opening_bytes = 10; }), ErrorKind::kUsage);
  EXPECT_EQ(kind_of(20, [](auto& o) { o.opening_bytes = kMaxOpening + 1; }), ErrorKind::kUsage);
  EXPECT_EQ(kind_of(20, [](auto& o) { o.sample_bytes = kMaxSample + 1; }), ErrorKind::kUsage);
}

TEST(OpeningCosts, AreThoseOfTheRecordBehindTheOpening) {
  const auto loaded = model(1);
  OpeningCosts costs(*loaded, {});
  // The same tokens, whether the opening ends before or behind the first of them.
  const TokenizedRecord whole = costs.tokenize("the end", 100);
  ASSERT_GT(whole.units.size(), 1u);
  TokenizedRecord rest = whole;
  rest.units.erase(rest.units.begin());
  --rest.tokens;
  const std::string first(loaded->vocabulary().bytes(whole.units[0].row));
  ASSERT_EQ(costs.tokenize(first, 100).units.size(), 1u);
  const auto all = costs.bits("", {&whole, 1})[0];
  const auto behind = costs.bits(first, {&rest, 1})[0];
  ASSERT_EQ(behind.size() + 1, all.size());
  EXPECT_TRUE(std::equal(behind.begin(), behind.end(), all.begin() + 1));
  EXPECT_EQ(costs.total("", {&whole, 1}), std::accumulate(all.begin(), all.end(), 0.0));
}

}  // namespace
}  // namespace smll::codec
