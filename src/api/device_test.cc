// What callers meet who ask for a GPU: where there is none, where it computes wrong, and what does
// not run there.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "lm/test_models.h"
#include "smll/smll.h"

namespace smll {
namespace {

// A device of the emulated library, which can be made to be wrong.
class Devices : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(lm::test_model())) {
      GTEST_SKIP() << lm::test_model() << " is missing: run `make unit`, which generates it";
    }
    setenv("SMLL_CUDA_LIBRARY", SMLL_EMULATED_LIBRARY, 1);
    library_ = dlopen(SMLL_EMULATED_LIBRARY, RTLD_NOW);
    ASSERT_NE(library_, nullptr);
  }
  void TearDown() override { set_fault(0); }

  void set_fault(int number) {
    if (library_) look_up<void(int)>("smll_emulated_fault")(number);
  }
  template <class Function>
  Function* look_up(const char* name) {
    return reinterpret_cast<Function*>(dlsym(library_, name));
  }

  static Model model_on(const std::string& device, bool learns = false) {
    ModelOptions options;
    options.model = lm::test_model();
    options.device = device;
    options.threads = 1;
    options.window = 64;
    options.learns = learns;
    options.download = false;
    return Model(options);
  }

  // What a writer makes of the text, with the model alone.
  Bytes write(const Model& model, bool verify, int lanes = 1) {
    WriteOptions options;
    options.experts = Experts::kLlm;
    options.lanes = lanes;
    options.verify = verify;
    MemorySink sink;
    Writer writer(model, options, sink);
    writer.write(text_);
    writer.finish();
    EXPECT_EQ(writer.stats().methods.count("llm"), 1u);
    return sink.take();
  }

  static Bytes read(const Model& model, const Bytes& archive) {
    MemorySource source(archive);
    Reader reader(model, {}, source);
    Bytes text, part(1000);
    while (const std::size_t size = reader.read(part)) {
      text.insert(text.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(size));
    }
    return text;
  }

  static ErrorKind kind_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::kIo;
  }

  // A device with this fault writes another archive, which reading it shows.
  void expect_found_when_written(int fault) {
    const Model model = model_on("cuda");
    set_fault(fault);
    EXPECT_EQ(kind_of([&] { write(model, true); }), ErrorKind::kModel);
    const Bytes wrong = write(model, false);
    set_fault(0);
    EXPECT_NE(wrong, write(model, true));
  }

  // One that the small model makes smaller.
  const Bytes text_ = [] {
    std::ifstream file(SMLL_GOLDEN_DIRECTORY "/mixed.txt", std::ios::binary);
    Bytes text(std::istreambuf_iterator<char>(file), {});
    text.resize(1000);
    return text;
  }();

 private:
  void* library_ = nullptr;
};

TEST_F(Devices, WriteTheSameArchives) {
  const Bytes expected = write(model_on("cpu"), true);
  for (const std::string device : {"cuda", "cuda:0", "auto"}) {
    const Model model = model_on(device);
    EXPECT_EQ(write(model, true), expected) << device;
    EXPECT_EQ(model.info()->device, "cuda:0 emulated") << device;
  }
}

TEST_F(Devices, OneThatComputesWrongIsFoundByReadingWhatItWrote) { expect_found_when_written(1); }

TEST_F(Devices, OneThatAnswersAnEncoderWrongIsFoundByReadingWhatItWrote) {
  expect_found_when_written(3);
}

TEST_F(Devices, OneThatFailsTheKnownAnswerTestIsNotUsed) {
  set_fault(2);
  EXPECT_EQ(kind_of([&] { write(model_on("cuda"), true); }), ErrorKind::kModel);
  const Model automatic = model_on("auto");
  write(automatic, true);
  EXPECT_EQ(automatic.info()->device, "cpu");
}

// Where the model alone decides, the device decodes: four bytes a token, and where the code stands.
TEST_F(Devices, OnlyTokensComeBackOfWhatTheModelDecides) {
  const Bytes archive = write(model_on("cpu"), false, 3);
  const Model gpu = model_on("cuda");
  const std::size_t before = look_up<std::size_t()>("smll_emulated_downloaded")();
  EXPECT_EQ(read(gpu, archive), text_);
  const std::size_t came = look_up<std::size_t()>("smll_emulated_downloaded")() - before;
  EXPECT_LT(came, 50 * text_.size());
}

// One that is damaged ends as it does on the processor.
TEST_F(Devices, DamagedCodesAreRefused) {
  const Bytes archive = write(model_on("cpu"), false, 3);
  const Model cpu = model_on("cpu"), gpu = model_on("cuda");
  for (std::size_t at = archive.size() - 80; at < archive.size() - 20; at += 7) {
    Bytes damaged = archive;
    damaged[at] ^= 0x10;
    const auto result_of = [&](const Model& model) {
      try {
        read(model, damaged);
        return std::string("read");
      } catch (const Error& error) {
        return std::string(error.what());
      }
    };
    EXPECT_EQ(result_of(cpu), result_of(gpu)) << at;
  }
}

TEST_F(Devices, FramesAreDecodedTogether) {
  WriteOptions options;
  options.experts = Experts::kLlm;
  options.lanes = 16;
  options.frame_size = 256;
  MemorySink sink;
  const Model cpu = model_on("cpu");
  Writer writer(cpu, options, sink);
  for (int i = 0; i < 6; ++i) writer.write(text_);
  writer.finish();
  const Bytes archive = sink.take();
  look_up<std::size_t()>("smll_emulated_most_rows")();
  const Bytes restored = read(model_on("cuda"), archive);
  EXPECT_EQ(restored.size(), 6 * text_.size());
  EXPECT_GE(look_up<std::size_t()>("smll_emulated_most_rows")(), 128u);
}

TEST_F(Devices, LearningIsTheProcessors) {
  const Model model = model_on("cuda", true);
  EXPECT_EQ(write(model, true), write(model_on("cpu", true), true));
  EXPECT_EQ(model.info()->device, "cpu");
}

TEST_F(Devices, OnesThatAreNotThereAreUsageErrors) {
  for (const std::string device : {"gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999"}) {
    EXPECT_EQ(kind_of([&] { model_on(device); }), ErrorKind::kUsage) << device;
  }
  EXPECT_EQ(kind_of([&] { write(model_on("cuda:1"), true); }), ErrorKind::kUsage);
}

}  // namespace
}  // namespace smll
