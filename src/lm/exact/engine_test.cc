// The contract: logits depend on a lane's tokens and on nothing else.
#include "lm/exact/engine.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>

#include "lm/exact/engine_runs.h"
#include "lm/exact/rope.h"
#include "lm/weights/gguf_tiny.h"
#include "smll/error.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace smll::exact {
namespace {

using weights::TinyModel;
using weights::TinyOptions;

TEST(Engine, LogitsDependOnTokensOnly) {
  for (weights::TensorType type : {weights::kQ4_1, weights::kQ4_0, weights::kF32}) {
    TinyOptions tiny;
    tiny.type = type;
    tiny.tied = type != weights::kQ4_0;
    const TinyModel file(tiny);
    const auto model = weights::Weights::load(file.path(), {}, 2);
    const std::vector<std::vector<Token>> lanes = {random_tokens(150, 1), random_tokens(33, 2),
                                                   random_tokens(1, 3), random_tokens(100, 4)};
    Engine reference(model, options(Isa::kScalar, 1));
    const auto expected = run(reference, lanes, kSingle);
    for (float l : expected[0]) ASSERT_TRUE(std::isfinite(l));
    for (Isa isa : supported_isas()) {
      for (int threads : {1, 2, 3}) {
        Engine engine(model, options(isa, threads));
        std::mt19937 random(threads);
        const auto pieces = [&](std::size_t, int) { return random() % 9 + 1; };
        const auto whole = run(engine, lanes, kWhole);
        const auto split = run(engine, lanes, pieces);
        const auto single = run(engine, lanes, kSingle);
        for (std::size_t i = 0; i < lanes.size(); ++i) {
          EXPECT_TRUE(same(expected[i], whole[i])) << isa_name(isa) << " lane " << i;
          EXPECT_TRUE(same(expected[i], split[i])) << isa_name(isa) << " lane " << i;
          EXPECT_TRUE(same(expected[i], single[i])) << isa_name(isa) << " lane " << i;
        }
      }
    }
  }
}

// The window slides many times round the ring, with every alignment of positions to tiles and
// chunks.
TEST(Engine, WindowSlidesTheSameInAnyBatch) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<std::vector<Token>> lanes = {random_tokens(1700, 5)};
  for (int window : {2, 3, 17, 300}) {
    Engine engine(model, options(Isa::kAuto, 2, window));
    const auto whole = run(engine, lanes, kWhole);
    const auto single = run(engine, lanes, kSingle);
    const auto split =
        run(engine, lanes, [](std::size_t, int call) { return call * 37 % 290 + 1; });
    EXPECT_TRUE(same(whole[0], single[0])) << window;
    EXPECT_TRUE(same(whole[0], split[0])) << window;
  }
}

// Lengths about a segment, a window and a ring, and one that goes round twice.
constexpr std::size_t kLengths[] = {1, 255, 256, 257, 1700, 300, 700, 513, 768, 769, 20, 1024};

TEST(Engine, LanesThatOpenAfterOthersClosedAreAsGoodAsTheFirst) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  for (const int window : {17, 300}) {
    Engine used(model, options(Isa::kAuto, 1, window));
    std::mt19937 random(1);
    unsigned seed = 0;
    for (const std::size_t length : kLengths) {
      const std::vector<Token> tokens = random_tokens(length, ++seed);
      Engine fresh(model, options(Isa::kAuto, 1, window));
      const Logits expected = feed(fresh, fresh.open_lane(), tokens);
      const int lane = used.open_lane();
      EXPECT_EQ(lane, 0);
      const int beside = used.open_lane();
      const std::vector<Token> other = random_tokens(random() % 600 + 1, seed);
      feed(used, beside, other);
      EXPECT_TRUE(same(expected, feed(used, lane, tokens))) << length << ", " << window;
      used.close_lane(lane);
      const int again = used.open_lane();
      EXPECT_EQ(lane, again);
      EXPECT_TRUE(same(expected, feed(used, again, tokens))) << length << ", " << window;
      used.close_lane(beside);
      used.close_lane(again);
    }
  }
}

// Also where the ring comes round to what was kept, and while other lanes read it.
TEST(Engine, LanesThatBeginWithWhatWasKeptAreAsGoodAsThoseThatWereFedIt) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  for (const int window : {17, 300, 600}) {
    Engine keeper(model, options(Isa::kScalar, 1, 600));
    const std::vector<Token> begin = random_tokens(600, 1);
    for (const int kept : {1, 16, 17, 255, 256, 257, 300, 512, 600}) {
      if (kept > window) continue;
      const auto opening = std::span(begin).first(static_cast<std::size_t>(kept));
      const int source = keeper.open_lane();
      feed(keeper, source, opening);
      const std::shared_ptr<const lm::KeptContext> context = keeper.keep_lane(source);
      EXPECT_EQ(context->positions(), static_cast<std::uint64_t>(kept));
      Engine fresh(model, options(Isa::kAuto, 1, window));
      Engine engine(model, options(Isa::kAuto, 2, window));
      const int other = engine.open_lane(context);
      std::mt19937 random(static_cast<unsigned>(kept));
      for (const std::size_t length : {1, 40, 1700}) {
        const std::vector<Token> rest = random_tokens(length, 2);
        const int whole = fresh.open_lane();
        feed(fresh, whole, opening);
        const Logits expected = feed(fresh, whole, rest);
        fresh.close_lane(whole);
        const int lane = engine.open_lane(context);
        EXPECT_TRUE(same(expected, feed_with_guesses(engine, lane, rest, random)))
            << kept << " + " << length << ", " << window;
        engine.close_lane(lane);
      }
      const std::vector<Token> rest = random_tokens(30, 3);
      const int whole = fresh.open_lane();
      feed(fresh, whole, opening);
      EXPECT_TRUE(same(feed(fresh, whole, rest), feed(engine, other, rest))) << kept;
    }
  }
}

TEST(Engine, KeepsOnlyWhatCanBeGoneOnFrom) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  Engine engine(model, options(Isa::kAuto, 1, 20));
  const int longer = engine.open_lane();
  feed(engine, longer, random_tokens(21, 1));
  EXPECT_THROW(engine.keep_lane(longer), Error);
  const int lane = engine.open_lane();
  feed(engine, lane, random_tokens(20, 1));
  const auto context = engine.keep_lane(lane);
  EXPECT_THROW(engine.close_lane(lane), Error);
  const int second = engine.open_lane(context);
  EXPECT_THROW(engine.keep_lane(second), Error);
  Engine narrow(model, options(Isa::kAuto, 1, 19));
  EXPECT_THROW(narrow.open_lane(context), Error);
  Engine other(weights::Weights::load(file.path(), {}, 1), options(Isa::kAuto, 1, 20));
  EXPECT_THROW(other.open_lane(context), Error);
}

TEST(Engine, GuessesThatAreTakenBackLeaveNothing) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  for (const int window : {2, 17, 300}) {
    Engine engine(model, options(Isa::kAuto, 1, window));
    Engine guesses(model, options(Isa::kAuto, 1, window));
    std::mt19937 random(static_cast<unsigned>(window));
    for (const std::size_t length : kLengths) {
      const std::vector<Token> tokens = random_tokens(length, 1);
      const int lane = guesses.open_lane(), known = engine.open_lane();
      const Logits expected = feed(engine, known, tokens);
      EXPECT_TRUE(same(expected, feed_with_guesses(guesses, lane, tokens, random)))
          << length << ", " << window;
      guesses.close_lane(lane);
      engine.close_lane(known);
    }
  }
}

// With a window of w, tokens older than w layers' reach cannot matter, but the first one does.
TEST(Engine, OldTokensLeaveTheWindow) {
  const TinyModel file;
  Engine engine(weights::Weights::load(file.path(), {}, 1), options(Isa::kAuto, 1, 10));
  auto a = random_tokens(100, 6);
  auto b = a;
  for (std::size_t i = 1; i < 50; ++i) b[i] = (b[i] + 1) % 100;
  const auto la = run(engine, {a}, kWhole);
  const auto lb = run(engine, {b}, kWhole);
  const std::size_t row = 99 * engine.rows();
  EXPECT_EQ(0, std::memcmp(&la[0][row], &lb[0][row], engine.rows() * sizeof(float)));
  EXPECT_NE(0, std::memcmp(&la[0][51 * engine.rows()], &lb[0][51 * engine.rows()],
                           engine.rows() * sizeof(float)));
}

TEST(Engine, CallersFloatingPointModeDoesNotMatter) {
#if defined(__x86_64__)
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  const std::vector<std::vector<Token>> lanes = {random_tokens(80, 7)};
  Engine reference(model, options(Isa::kAuto, 2));
  const auto expected = run(reference, lanes, kWhole);
  const unsigned saved = _mm_getcsr();
  for (unsigned mode : {0x8040u, 0x6000u, 0x4000u, 0x2000u}) {
    _mm_setcsr(0x1f80 | mode);
    const auto loaded = weights::Weights::load(file.path(), {}, 2);
    Engine engine(loaded, options(Isa::kAuto, 2));
    const auto actual = run(engine, lanes, kSingle);
    EXPECT_EQ(0x1f80 | mode, _mm_getcsr() & ~0x3fu);
    _mm_setcsr(saved);
    EXPECT_TRUE(same(expected[0], actual[0]));
    EXPECT_EQ(model->fingerprint(), loaded->fingerprint());
  }
#endif
}

TEST(Engine, RowOrderPermutesLogits) {
  const TinyModel file;
  const std::vector<Token> order = {99, 3, 50, 7, 0};
  const auto all = weights::Weights::load(file.path(), {}, 1);
  const auto some = weights::Weights::load(file.path(), {order}, 1);
  EXPECT_EQ(all->fingerprint(), some->fingerprint());
  Engine a(all, options(Isa::kAuto, 1)), b(some, options(Isa::kAuto, 1));
  EXPECT_EQ(100u, a.rows());
  EXPECT_EQ(5u, b.rows());
  const auto la = run(a, {random_tokens(5, 1)}, kWhole);
  const auto lb = run(b, {random_tokens(5, 1)}, kWhole);
  for (std::size_t t = 0; t < 5; ++t) {
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(la[0][t * 100 + order[i]], lb[0][t * 5 + i]);
  }
}

TEST(Engine, RotaryVariantsRun) {
  TinyOptions tiny;
  tiny.rope_factors = true;
  tiny.rope_dims = 16;
  const TinyModel file(tiny);
  Engine engine(weights::Weights::load(file.path(), {}, 1), options(Isa::kAuto, 1));
  const auto logits = run(engine, {random_tokens(40, 1)}, kWhole);
  for (float l : logits[0]) ASSERT_TRUE(std::isfinite(l));
}

TEST(Engine, FingerprintTellsModelsApart) {
  TinyOptions tiny;
  std::map<std::uint64_t, int> seen;
  for (unsigned seed = 0; seed < 5; ++seed) {
    tiny.seed = seed;
    const TinyModel file(tiny);
    ++seen[weights::Weights::load(file.path(), {}, 1)->fingerprint()];
    EXPECT_EQ(1u, seen.count(weights::Weights::load(file.path(), {}, 3)->fingerprint()));
  }
  EXPECT_EQ(5u, seen.size());
}

TEST(Engine, RefusesWhatItDoesNotKnow) {
  TinyOptions tiny;
  tiny.architecture = "mamba";
  EXPECT_THROW(weights::Weights::load(TinyModel(tiny).path(), {}, 1), Error);
  tiny = {};
  tiny.extra_tensor = "blk.0.attn_q.bias";
  EXPECT_THROW(weights::Weights::load(TinyModel(tiny).path(), {}, 1), Error);
  const TinyModel file;
  EXPECT_THROW(weights::Weights::load(file.path() + ".absent", {}, 1), Error);
  EXPECT_THROW(weights::Weights::load(file.path(), {std::vector<Token>{100}}, 1), Error);
  for (std::uintmax_t size : {0u, 10u, 3000u, 30000u}) {
    const TinyModel cut;
    ASSERT_LT(size, std::filesystem::file_size(cut.path()));
    std::filesystem::resize_file(cut.path(), size);
    EXPECT_THROW(weights::Weights::load(cut.path(), {}, 1), Error) << size;
  }
}

TEST(Engine, ChecksItsArguments) {
  const TinyModel file;
  const auto model = weights::Weights::load(file.path(), {}, 1);
  EXPECT_THROW(Engine(model, options(Isa::kAuto, 1, 1)), Error);
  Engine engine(model, options(Isa::kAuto, 2));
  EXPECT_THROW(engine.reset(0), Error);
  engine.reset(2);
  const auto ignore = [](std::size_t, std::size_t, std::span<const float>, int) {};
  const std::vector<Token> tokens = {1, 2};
  const LaneTokens twice[] = {{0, tokens}, {0, tokens}};
  EXPECT_THROW(engine.feed(twice, ignore), Error);
  const LaneTokens absent[] = {{2, tokens}};
  EXPECT_THROW(engine.feed(absent, ignore), Error);
  engine.reset(2);
  engine.close_lane(1);
  const LaneTokens finished[] = {{1, tokens}};
  EXPECT_THROW(engine.feed(finished, ignore), Error);
  engine.reset(2);
  const std::vector<Token> unknown = {1, 100};
  const LaneTokens bad[] = {{0, unknown}};
  EXPECT_THROW(engine.feed(bad, ignore), Error);
}

TEST(Rotary, AgreesWithTheMathematics) {
  for (double x : {-20.0, -3.7, 0.0, 0.3, 1.0, 12.5})
    EXPECT_NEAR(1.0, exact_exp2(x) / std::exp2(x), 1e-14);
  for (double x : {1.5, 10000.0, 100000.0, 500000.0})
    EXPECT_NEAR(1.0, exact_log2(x) / std::log2(x), 1e-14);
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t turn = random();
    double c, s;
    cos_sin_of_turn(turn, &c, &s);
    const double angle = static_cast<double>(turn) * 0x1p-64 * 6.283185307179586;
    EXPECT_NEAR(std::cos(angle), c, 1e-12);
    EXPECT_NEAR(std::sin(angle), s, 1e-12);
  }
}

TEST(Rotary, TheCallersRoundingDoesNotMatter) {
  const auto angles = [](int rounding) {
    std::vector<float> values;
    std::fenv_t saved;
    std::fegetenv(&saved);
    std::fesetround(rounding);
    for (const double base : {10000.0, 100000.0, 500000.0}) {
      const RotaryTable table({64, base, 1.0, {}});
      std::fesetenv(&saved);
      std::vector<float> cos(64), sin(64);
      for (std::uint64_t position = 0; position < 2048; ++position) {
        table.fill(position, 64, cos.data(), sin.data());
        values.insert(values.end(), cos.begin(), cos.end());
        values.insert(values.end(), sin.begin(), sin.end());
      }
      std::fesetround(rounding);
    }
    std::fesetenv(&saved);
    return values;
  };
  const std::vector<float> nearest = angles(FE_TONEAREST);
  for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    EXPECT_TRUE(nearest == angles(rounding)) << rounding;
  }
}

}  // namespace
}  // namespace smll::exact
