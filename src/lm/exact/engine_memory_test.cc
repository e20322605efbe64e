// What an engine says that it takes is what it takes.
#include <gtest/gtest.h>

#include <vector>

#include "base/allocated_bytes.h"
#include "lm/exact/engine.h"
#include "lm/weights/gguf_tiny.h"

namespace smll::exact {
namespace {

TEST(EngineMemory, IsNoMoreThanItSays) {
  if (!allocated_bytes()) GTEST_SKIP() << "the allocator does not say how much it has given";
  const weights::TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  for (const bool learns : {false, true}) {
    for (const int window : {64, 2048, 65536}) {
      for (const std::size_t tokens : {10u, 1000u, 4000u}) {
        EngineOptions options;
        options.threads = 1;
        options.window = window;
        options.learns = learns;
        const std::vector<std::size_t> lanes(learns ? 1 : 3, tokens);
        const std::uint64_t before = *allocated_bytes();
        Engine engine(model, options);
        engine.reset(static_cast<int>(lanes.size()));
        const std::vector<Token> text(tokens + 1, 1);
        std::vector<LaneTokens> batch;
        for (std::size_t i = 0; i < lanes.size(); ++i) batch.push_back({static_cast<int>(i), text});
        engine.feed(batch, [](std::size_t, std::size_t, std::span<const float>, int) {});
        const std::uint64_t taken = *allocated_bytes() - before;
        const std::uint64_t said = Engine::memory(*model, options, lanes, 1);
        EXPECT_LE(taken, said) << learns << " " << window << " " << tokens;
        EXPECT_LE(said, taken * 2 + (std::uint64_t{1} << 20))
            << learns << " " << window << " " << tokens;
      }
    }
  }
}

}  // namespace
}  // namespace smll::exact
