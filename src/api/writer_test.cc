// Frames that a Writer has on their way at once.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "api/internals.h"
#include "api/test_text.h"
#include "codec/loaded_model.h"
#include "codec/scheduler.h"
#include "lm/test_models.h"
#include "smll/smll.h"

namespace smll {
namespace {

Model learning_model(int threads) {
  ModelOptions options;
  options.model = lm::test_model();
  options.threads = threads;
  options.window = 64;
  options.learns = true;
  return Model(options);
}

Bytes written(const Model& model, const WriteOptions& options, const Bytes& data) {
  MemorySink sink;
  Writer writer(model, options, sink);
  writer.write(data);
  writer.finish();
  return sink.take();
}

class WriterThreads : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(lm::test_model())) {
      GTEST_SKIP() << lm::test_model() << " is missing: run `make unit`, which generates it";
    }
    options_.frame_size = 200;
  }
  WriteOptions options_;
};

TEST_F(WriterThreads, FramesOfAModelThatLearnsAreTheSameOneByOne) {
  const Bytes data = lines_of(900);
  options_.experts = Experts::kLlm;
  const Bytes archive = written(learning_model(1), options_, data);
  EXPECT_EQ(written(learning_model(3), options_, data), archive);
}

// One after another, they need one predictor.
TEST_F(WriterThreads, FramesOfAModelThatLearnsAreCodedTogether) {
  options_.experts = Experts::kLlm;
  const Model model = learning_model(2);
  const codec::Scheduler& scheduler = Internals::source(model).for_writing()->scheduler();
  ASSERT_EQ(scheduler.lanes(), 2U) << "too little memory is free";
  options_.progress = [&](const Stats&) {
    if (scheduler.predictors() == 2) throw Error(ErrorKind::kIo, "enough");
  };
  EXPECT_THROW(written(model, options_, lines_of(5000)), Error);
}

}  // namespace
}  // namespace smll
