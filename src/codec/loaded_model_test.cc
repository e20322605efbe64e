#include "codec/loaded_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <barrier>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/allocated_bytes.h"
#include "base/bytes_read.h"
#include "codec/dictionary.h"
#include "lm/test_models.h"
#include "lm/weights/adapter.h"

namespace smll::codec {
namespace {

namespace fs = std::filesystem;

LoadOptions with(int window, bool learns) {
  LoadOptions options;
  options.threads = 1;
  options.window = window;
  options.learns = learns;
  return options;
}

// A file of its own, that nothing else in the process has read.
class LoadedModelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "smll-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = (directory_ / "model.gguf").string();
    fs::copy_file(lm::test_model(), path_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path directory_;
  std::string path_;
};

TEST_F(LoadedModelTest, WindowsAndLearningShareTheWeights) {
  if (!allocated_bytes()) GTEST_SKIP() << "the allocator does not say how much it has given";
  const std::uint64_t size = fs::file_size(path_);
  const std::uint64_t before = *allocated_bytes();
  const auto first = LoadedModel::load(path_, with(2048, false));
  const std::uint64_t with_one = *allocated_bytes() - before;
  EXPECT_GT(with_one, size / 2);  // else this counts something else
  const auto other = LoadedModel::load(path_, with(4096, false));
  const auto learning = LoadedModel::load(path_, with(4096, true));
  EXPECT_LT(*allocated_bytes() - before, with_one + size / 20);
  EXPECT_EQ(&first->vocabulary(), &other->vocabulary());
  EXPECT_EQ(&first->vocabulary(), &learning->vocabulary());
}

TEST_F(LoadedModelTest, AFingerprintIsOfWeightsAndVocabularyAlone) {
  const auto first = LoadedModel::load(path_, with(2048, false));
  const auto other = LoadedModel::load(path_, with(4096, true));
  EXPECT_EQ(first->fingerprint(), other->fingerprint());
}

TEST_F(LoadedModelTest, ThreadsThatLoadAtOnceReadTheFileOnce) {
  if (!bytes_read()) GTEST_SKIP() << "the system does not say how much was read";
  std::uint64_t before = *bytes_read();
  LoadedModel::load(path_, with(2048, false));
  const std::uint64_t once = *bytes_read() - before;
  ASSERT_GE(once, fs::file_size(path_) / 2);
  constexpr int kThreads = 4;
  std::barrier start(kThreads);
  std::vector<std::shared_ptr<const LoadedModel>> models(kThreads);
  std::vector<std::thread> threads;
  before = *bytes_read();
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      models[i] = LoadedModel::load(path_, with(2048 + i, i == 3));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(*bytes_read() - before, once + once / 2);
  for (const auto& model : models) EXPECT_EQ(&model->vocabulary(), &models[0]->vocabulary());
}

TEST_F(LoadedModelTest, AnAdaptersWeightsAreCounted) {
  const auto model = LoadedModel::load(path_, with(2048, false));
  const weights::Weights& weights = *model->weights();
  const weights::MatrixPlace place = {0, weights::MatrixName::kGate};
  weights::Adapter adapter(weights.fingerprint());  // the second layer's gate in the first layer
  adapter.add(weights, place,
              weights::in_format(matrix_of(weights.layers()[1].matrices, place.name),
                                 weights::Format::kS8));
  std::vector<std::uint64_t> memory;
  for (const Bytes& part : {Bytes{}, adapter.serialize()}) {
    LoadOptions options = with(2048, false);
    options.dictionary = std::make_shared<Dictionary>(
        DictionaryParts{"of a test", {'t', 'e', 'x', 't'}, {}, part, model->identity()});
    memory.push_back(LoadedModel::load(path_, options)->opening_memory(false));
  }
  EXPECT_GT(adapter.memory(weights), 0u);
  EXPECT_EQ(memory[1], memory[0] + adapter.memory(weights));
}

}  // namespace
}  // namespace smll::codec
