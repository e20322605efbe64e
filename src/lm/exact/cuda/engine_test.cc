// The engine on a GPU gives the logits of the engine on the CPU, bit for bit: small models of all
// families, any batch, windows that slide, lanes that come and go and that begin with what was
// kept.
#include "lm/exact/engine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "lm/exact/cuda/test_device.h"
#include "lm/exact/engine_runs.h"
#include "lm/test_models.h"
#include "lm/weights/gguf_tiny.h"
#include "smll/error.h"

namespace smll::exact {
namespace {

using weights::TinyModel;
using weights::TinyOptions;
using WeightsPtr = std::shared_ptr<const weights::Weights>;

EngineOptions gpu(int window = 64) {
  EngineOptions o = options(Isa::kAuto, 1, window);
  o.device = cuda::test_device(SMLL_EMULATED_LIBRARY);
  return o;
}

void expect_same(const std::vector<Logits>& expected, const std::vector<Logits>& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(same(expected[i], actual[i])) << "lane " << i;
  }
}

TEST(CudaEngine, LogitsAreThoseOfTheCpuInAnyBatch) {
  for (weights::TensorType type : {weights::kQ4_1, weights::kQ4_0, weights::kF32}) {
    TinyOptions tiny;
    tiny.type = type;
    tiny.tied = type != weights::kQ4_0;
    const TinyModel file(tiny);
    const WeightsPtr model = weights::Weights::load(file.path(), {}, 1);
    const std::vector<std::vector<Token>> lanes = {random_tokens(150, 1), random_tokens(33, 2),
                                                   random_tokens(1, 3), random_tokens(100, 4)};
    Engine cpu(model, options(Isa::kScalar, 1));
    Engine device(model, gpu());
    const auto expected = run(cpu, lanes, kSingle);
    cuda::in_each_order([&] { expect_same(expected, run(device, lanes, kWhole)); });
    expect_same(expected, run(device, lanes, kSingle));
    std::mt19937 random(1);
    expect_same(expected, run(device, lanes, [&](std::size_t, int) { return random() % 9 + 1; }));
  }
}

// Which decoding does: a token a lane, step after step. Lanes that come and go and attention that
// reaches farther make other ones.
TEST(CudaEngine, StepsThatAreTheSameAreRunAsAGraph) {
  const TinyModel file;
  const WeightsPtr model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<std::vector<Token>> lanes = {random_tokens(300, 1), random_tokens(120, 2)};
  Engine cpu(model, options(Isa::kScalar, 1, 512));
  Engine device(model, gpu(512));
  const auto runs = cuda::emulated_function<std::size_t()>("smll_emulated_graph_runs");
  if (!runs) GTEST_SKIP() << "a real device does not count";
  const std::size_t before = runs();
  expect_same(run(cpu, lanes, kSingle), run(device, lanes, kSingle));
  // All of them but the first two of two lanes, of one, and of one beyond the first segment.
  EXPECT_EQ(runs() - before, 300 - 3);
}

// Every alignment of positions to tiles and chunks; more rows of a lane than a batch takes.
TEST(CudaEngine, TheWindowSlides) {
  const TinyModel file;
  const WeightsPtr model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<std::vector<Token>> lanes = {random_tokens(900, 5), random_tokens(300, 6)};
  for (int window : {2, 3, 17, 300}) {
    Engine cpu(model, options(Isa::kAuto, 1, window));
    Engine device(model, gpu(window));
    const auto expected = run(cpu, lanes, kWhole);
    expect_same(expected, run(device, lanes, kWhole));
    expect_same(expected,
                run(device, lanes, [](std::size_t, int call) { return call * 37 % 290 + 1; }));
  }
}

TEST(CudaEngine, AWindowTooLongForSharedMemory) {
  const TinyModel file;
  const WeightsPtr model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<std::vector<Token>> lanes = {random_tokens(1500, 7)};
  Engine cpu(model, options(Isa::kAuto, 1, 2048));
  Engine device(model, gpu(2048));
  const auto piece = [](std::size_t, int call) { return call == 0 ? 1490u : 10u; };
  expect_same(run(cpu, lanes, piece), run(device, lanes, piece));
}

TEST(CudaEngine, GuessesAreTakenBack) {
  const TinyModel file;
  const WeightsPtr model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<Token> tokens = random_tokens(700, 8);
  Engine cpu(model, options(Isa::kAuto, 1));
  cpu.reset(1);
  const Logits expected = feed(cpu, 0, tokens);
  Engine device(model, gpu());
  device.reset(1);
  std::mt19937 random(2);
  EXPECT_TRUE(same(expected, feed_with_guesses(device, 0, tokens, random)));
}

TEST(CudaEngine, LanesBeginWithWhatWasKept) {
  const TinyModel file;
  const WeightsPtr model = weights::Weights::load(file.path(), {}, 1);
  for (std::size_t kept : {1u, 256u, 300u}) {
    const std::vector<Token> tokens = random_tokens(kept + 600, 9);
    const std::span<const Token> all(tokens);
    Engine cpu(model, options(Isa::kAuto, 1, 512));
    cpu.reset(1);
    feed(cpu, 0, all.first(kept));
    const Logits expected = feed(cpu, 0, all.subspan(kept));
    Engine device(model, gpu(512));
    const int first = device.open_lane();
    feed(device, first, all.first(kept));
    const auto context = device.keep_lane(first);
    EXPECT_EQ(context->positions(), kept);
    // Two lanes at once, and one of another engine.
    const int a = device.open_lane(context), b = device.open_lane(context);
    EXPECT_TRUE(same(expected, feed(device, a, all.subspan(kept))));
    EXPECT_TRUE(same(expected, feed(device, b, all.subspan(kept))));
    Engine other(model, gpu(512));
    const int c = other.open_lane(context);
    EXPECT_TRUE(same(expected, feed(other, c, all.subspan(kept))));
    EXPECT_THROW(cpu.open_lane(context), Error);
  }
}

TEST(CudaEngine, LanesCloseAndOthersOpen) {
  const TinyModel file;
  const WeightsPtr model = weights::Weights::load(file.path(), {}, 1);
  Engine cpu(model, options(Isa::kAuto, 1));
  Engine device(model, gpu());
  for (unsigned i = 0; i < 6; ++i) {
    const std::vector<Token> tokens = random_tokens(250 + 130 * i, 20 + i);
    const int expected_lane = cpu.open_lane(), lane = device.open_lane();
    const Logits expected = feed(cpu, expected_lane, tokens);
    EXPECT_TRUE(same(expected, feed(device, lane, tokens))) << i;
    cpu.close_lane(expected_lane);
    device.close_lane(lane);
  }
}

TEST(CudaEngine, LearnsNothing) {
  const TinyModel file;
  const WeightsPtr model = weights::Weights::load(file.path(), {}, 1);
  EngineOptions learning = gpu();
  learning.learns = true;
  EXPECT_THROW(Engine(model, learning), Error);
}

class CudaFamilies : public testing::TestWithParam<std::string> {};

TEST_P(CudaFamilies, LogitsAreThoseOfTheCpu) {
  const std::string path = lm::family_model(GetParam());
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << path << " is missing: run `make unit`, which generates it";
  }
  const WeightsPtr model = weights::Weights::load(path, {}, 1);
  const std::vector<std::vector<Token>> lanes = {random_tokens(90, 1), random_tokens(40, 2)};
  for (int window : {32, 2048}) {
    Engine cpu(model, options(Isa::kScalar, 1, window));
    Engine device(model, gpu(window));
    expect_same(run(cpu, lanes, kWhole),
                run(device, lanes, [](std::size_t, int call) { return call == 0 ? 29u : 7u; }));
  }
}

INSTANTIATE_TEST_SUITE_P(All, CudaFamilies, testing::ValuesIn(lm::kFamilies));

}  // namespace
}  // namespace smll::exact
