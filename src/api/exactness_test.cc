// The promise of the exact backend, end to end: one text makes one archive, whatever the
// instruction set, the threads, the pieces it arrives in and the caller's floating-point mode.
#include <gtest/gtest.h>

#include <algorithm>
#include <cfenv>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "lm/exact/isa.h"
#include "lm/test_models.h"
#include "smll/smll.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace smll {
namespace {

ModelOptions model_options(const std::string& isa, int threads) {
  ModelOptions options;
  options.model = lm::test_model();
  options.isa = isa;
  options.threads = threads;
  options.window = 128;
  options.download = false;
  return options;
}

Bytes text() {
  Bytes data;
  unsigned state = 1;
  while (data.size() < 40000) {
    state = state * 1664525u + 1013904223u;
    const std::string words = "that it was not for the " + std::to_string(state >> 28) +
                              " of as on it had but are from\n";
    data.insert(data.end(), words.begin(), words.end());
  }
  data.resize(40000);
  return data;
}

Bytes archive(const ModelOptions& options, const Bytes& data, std::size_t piece) {
  WriteOptions write;
  write.lanes = 3;
  write.experts = Experts::kLlm;  // of random weights, the mixer would choose none
  MemorySink sink;
  Writer writer(Model(options), write, sink);
  for (std::size_t at = 0; at < data.size(); at += piece) {
    writer.write(ByteView(data).subspan(at, std::min(piece, data.size() - at)));
  }
  writer.finish();
  EXPECT_EQ(writer.stats().methods.count("llm"), 1u);
  return sink.take();
}

class Exactness : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(lm::test_model())) {
      GTEST_SKIP() << lm::test_model() << " is missing: run `make unit`, which generates it";
    }
    reference_ = archive(model_options("scalar", 1), data_, data_.size());
  }

  const Bytes data_ = text();
  Bytes reference_;
};

TEST_F(Exactness, EveryInstructionSetAndThreadCountWritesTheSameArchive) {
  for (const exact::Isa isa : exact::supported_isas()) {
    for (const int threads : {1, 2}) {
      EXPECT_EQ(archive(model_options(exact::isa_name(isa), threads), data_, data_.size()),
                reference_)
          << exact::isa_name(isa) << ", " << threads << " threads";
    }
  }
}

TEST_F(Exactness, PiecesDoNotMatter) {
  for (const std::size_t piece : {1, 777}) {
    EXPECT_EQ(archive(model_options("", 2), data_, piece), reference_) << piece;
  }
}

TEST_F(Exactness, TheCallersFloatingPointModeDoesNotMatter) {
  std::fenv_t saved;
  std::fegetenv(&saved);
  for (const int rounding : {FE_UPWARD, FE_TOWARDZERO}) {
    std::fesetround(rounding);
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040);  // flush to zero, denormals are zero
#endif
    const Bytes actual = archive(model_options("", 2), data_, data_.size());
    EXPECT_EQ(std::fegetround(), rounding);
    std::fesetenv(&saved);
    EXPECT_EQ(actual, reference_);
  }
}

TEST_F(Exactness, AnyInstructionSetReadsTheArchive) {
  for (const exact::Isa isa : exact::supported_isas()) {
    MemorySource source(reference_);
    Reader reader(Model(model_options(exact::isa_name(isa), 2)), {}, source);
    Bytes restored(data_.size() + 1);
    std::size_t size = 0;
    while (const std::size_t got = reader.read(std::span(restored).subspan(size))) size += got;
    restored.resize(size);
    EXPECT_EQ(restored, data_) << exact::isa_name(isa);
  }
}

}  // namespace
}  // namespace smll
