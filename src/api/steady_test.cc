// Many calls take no more threads and memory than a few.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/internals.h"
#include "base/allocated_bytes.h"
#include "codec/loaded_model.h"
#include "lm/predictor.h"
#include "lm/test_models.h"
#include "smll/smll.h"

namespace smll {
namespace {

constexpr std::size_t kCallers = 8;
constexpr std::size_t kRounds = 5, kCallsARound = 200;
constexpr int kThreads = 3, kMostLanes = 32;

Bytes text(std::size_t size, std::size_t seed) {
  Bytes data;
  for (std::size_t line = seed; data.size() < size; ++line) {
    const std::string words = "line " + std::to_string(line * 7919 % 1000) + " of a text\n";
    data.insert(data.end(), words.begin(), words.end());
  }
  data.resize(size);
  return data;
}

std::size_t threads_of_the_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

// A text and what it becomes in so many lanes, or as a compact one without any.
struct Sample {
  Bytes text, archive;
  int lanes;
};

class Steady : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(lm::test_model())) {
      GTEST_SKIP() << lm::test_model() << " is missing: run `make unit`, which generates it";
    }
    write_.experts = Experts::kLlm;
    // With a model of its own, so that what the tests use has not seen them all.
    const Model model = load();
    for (int lanes = 0; lanes <= kMostLanes; ++lanes) {
      const auto size = static_cast<std::size_t>(lanes == 0 ? 20 : 2 * lanes);
      Sample sample{text(size, samples_.size()), {}, lanes};
      sample.archive = compress(model, sample);
      samples_.push_back(std::move(sample));
    }
    model_.emplace(load());
    compressor_.emplace(*model_, write_);
  }

  static Model load() {
    ModelOptions options;
    options.model = lm::test_model();
    options.threads = kThreads;
    options.window = 64;
    return Model(options);
  }

  Bytes compress(const Model& model, const Sample& sample) const {
    if (sample.lanes == 0) return Compressor(model, write_).compress(sample.text);
    WriteOptions options = write_;
    options.lanes = sample.lanes;
    MemorySink sink;
    Writer writer(model, options, sink);
    writer.write(sample.text);
    writer.finish();
    return sink.take();
  }

  // Every kind of call, on the samples from `first` on.
  void call(std::size_t number, std::size_t first) const {
    const std::size_t count = 1 + number % 5;
    std::vector<ByteView> texts, archives;
    for (std::size_t i = 0; i < count; ++i) {
      const Sample& item = samples_.at((first + i) % samples_.size());
      texts.push_back(item.text);
      archives.push_back(item.archive);
    }
    const Sample& sample = samples_.at(first);
    switch (number % 4) {
      case 0:
        EXPECT_EQ(compress(*model_, sample), sample.archive);
        break;
      case 1:
        EXPECT_EQ(compressor_->decompress(sample.archive), sample.text);
        break;
      case 2:
        for (const Result& result : compressor_->compress_many(texts)) EXPECT_FALSE(result.error);
        break;
      default: {
        const std::vector<Result> results = compressor_->decompress_many(archives);
        for (std::size_t i = 0; i < count; ++i) {
          EXPECT_TRUE(std::ranges::equal(results[i].bytes, texts[i]));
        }
      }
    }
  }

  // From all callers at once. The first round has the most lanes, and no other number of them.
  void round(std::size_t number) const {
    std::vector<std::thread> callers;
    for (std::size_t caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([this, caller, number] {
        for (std::size_t i = caller; i < kCallsARound; i += kCallers) {
          call(i / kCallers, number == 0 ? kMostLanes : (i + number) % samples_.size());
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }

  std::optional<Model> model_;
  std::optional<Compressor> compressor_;
  WriteOptions write_;
  std::vector<Sample> samples_;
};

// Bytes of an engine that has fed a token.
std::optional<std::uint64_t> engine_bytes(const codec::LoadedModel& model) {
  const std::optional<std::uint64_t> before = allocated_bytes();
  if (!before) return std::nullopt;
  const std::unique_ptr<lm::Predictor> predictor = model.make_predictor();
  const int lane = predictor->open_lane();
  const Token token = predictor->start_token();
  std::vector<lm::Distribution> next(1);
  const lm::LaneInput input{lane, {&token, 1}, {}, {}, next};
  predictor->feed({&input, 1});
  const std::uint64_t bytes = *allocated_bytes() - *before;
  predictor->close_lane(lane);
  return bytes;
}

// An engine for each number of lanes was kept once, and a pool of threads for each engine.
TEST_F(Steady, AThousandCallsOfEightThreadsTakeNoMoreThanTheFirst) {
  const std::optional<std::uint64_t> engine =
      engine_bytes(*Internals::source(*model_).for_writing());
  round(0);
  const std::size_t threads = threads_of_the_process();
  const std::optional<std::uint64_t> bytes = allocated_bytes();
  for (std::size_t number = 1; number < kRounds; ++number) round(number);
  EXPECT_EQ(threads_of_the_process(), threads);
  // A seat that the first round left empty may have its engine now.
  if (engine && bytes) {
    EXPECT_LT(*allocated_bytes(), *bytes + kThreads * *engine);
  }
}

}  // namespace
}  // namespace smll
