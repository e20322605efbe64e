// A predictor on a GPU says what one on the CPU says, and no more than is asked for comes back.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "lm/exact/cuda/test_device.h"
#include "lm/exact/engine_runs.h"
#include "lm/exact/exact_predictor.h"
#include "lm/weights/gguf_tiny.h"

namespace smll::lm {
namespace {

using exact::Isa;

// The small model's tokens, in an order of their own: 97 rows.
text::Vocabulary some_vocabulary() {
  std::vector<text::VocabularyEntry> entries(100);
  std::mt19937 random(3);
  for (std::size_t token = 3; token < entries.size(); ++token) {
    std::string bytes(1 + random() % 4, 0);
    for (char& c : bytes) c = static_cast<char>("ab\xff"[random() % 3]);
    entries[token] = {bytes + std::to_string(token), true};
  }
  // Some are what others begin with.
  entries[50].bytes = "a";
  entries[51].bytes = "ab";
  entries[52].bytes = "\xff";
  return text::Vocabulary(entries);
}

// What is fed to a lane, and what is wanted of it.
struct Lane {
  std::vector<Token> tokens;
  std::vector<std::uint32_t> rows;
  std::vector<RecordedPath> paths;
  std::vector<Distribution> next;
  bool only_walks = false;

  LaneInput input(int lane) { return {lane, tokens, rows, paths, next, only_walks, {}}; }
};

class CudaPredictor : public testing::Test {
 protected:
  Lane lane_of(std::size_t count, unsigned seed) {
    return {exact::random_tokens(count, seed), {}, {}, {}, false};
  }
  Lane encoder(std::size_t count, unsigned seed) {
    Lane lane = lane_of(count, seed);
    std::mt19937 random(seed);
    for (std::size_t i = 0; i < count; ++i) {
      lane.rows.push_back(static_cast<std::uint32_t>(random() % vocabulary_.rows()));
    }
    lane.paths.resize(count);
    return lane;
  }
  Lane decoder(std::size_t count, unsigned seed, bool only_walks) {
    Lane lane = lane_of(count, seed);
    lane.next.resize(count);
    lane.only_walks = only_walks;
    return lane;
  }

  std::unique_ptr<ExactPredictor> predictor(bool on_gpu) {
    exact::EngineOptions options = exact::options(Isa::kAuto, 2);
    if (on_gpu) options.device = exact::cuda::test_device(SMLL_EMULATED_LIBRARY);
    return std::make_unique<ExactPredictor>(model_, options, vocabulary_);
  }

  // Bytes that came back, where the device can say so.
  std::size_t feed(ExactPredictor& predictor, std::vector<Lane>& lanes) {
    std::vector<LaneInput> batch;
    for (Lane& lane : lanes) batch.push_back(lane.input(predictor.open_lane(nullptr)));
    const auto downloaded =
        exact::cuda::emulated_function<std::size_t()>("smll_emulated_downloaded");
    const std::size_t before = downloaded ? downloaded() : 0;
    predictor.feed(batch);
    const std::size_t bytes = downloaded ? downloaded() - before : 0;
    for (const LaneInput& input : batch) predictor.close_lane(input.lane);
    return bytes;
  }

  // Through the path of every row.
  void expect_same(const Distribution& expected, const Distribution& actual) {
    for (std::uint32_t row = 0; row < vocabulary_.rows(); ++row) {
      RecordedPath a, b;
      a.record(vocabulary_, expected, row);
      b.record(vocabulary_, actual, row);
      ASSERT_TRUE(std::ranges::equal(a.probabilities(), b.probabilities())) << "row " << row;
    }
  }
  void expect_same(const std::vector<Lane>& expected, const std::vector<Lane>& actual) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      for (std::size_t at = 0; at < expected[i].paths.size(); ++at) {
        ASSERT_TRUE(std::ranges::equal(expected[i].paths[at].probabilities(),
                                       actual[i].paths[at].probabilities()))
            << "lane " << i << ", token " << at;
      }
      for (std::size_t at = 0; at < expected[i].next.size(); ++at) {
        ASSERT_NO_FATAL_FAILURE(expect_same(expected[i].next[at], actual[i].next[at]))
            << "lane " << i << ", token " << at;
        if (expected[i].only_walks) continue;
        ASSERT_TRUE(std::ranges::equal(expected[i].next[at].frequencies(),
                                       actual[i].next[at].frequencies()))
            << "lane " << i << ", token " << at;
      }
    }
  }

  std::vector<Lane> check(std::vector<Lane> lanes, std::size_t* bytes = nullptr) {
    std::vector<Lane> expected = lanes;
    feed(*predictor(false), expected);
    const std::size_t came = feed(*predictor(true), lanes);
    if (bytes) *bytes = came;
    expect_same(expected, lanes);
    return lanes;
  }

  static bool counts_bytes() {
    return exact::cuda::emulated_function<std::size_t()>("smll_emulated_downloaded") != nullptr;
  }

  const text::Vocabulary vocabulary_ = some_vocabulary();
  const weights::TinyModel file_;
  const std::shared_ptr<const weights::Weights> model_ =
      weights::Weights::load(file_.path(), {vocabulary_.row_order(), 1}, 1);
};

// More rows than come back at once.
TEST_F(CudaPredictor, RecordsTheSamePaths) {
  std::size_t bytes = 0;
  const std::vector<Lane> lanes = check({encoder(150, 1), encoder(1, 2), encoder(40, 3)}, &bytes);
  if (!counts_bytes()) return;
  std::size_t decisions = 0;
  for (const Lane& lane : lanes) {
    for (const RecordedPath& path : lane.paths) {
      decisions += static_cast<std::size_t>(std::ranges::count_if(
          path.probabilities(), [](std::uint32_t p) { return !is_certain(p); }));
    }
  }
  EXPECT_EQ(bytes, decisions * sizeof(std::uint16_t));
}

TEST_F(CudaPredictor, IsWalkedTheSameWay) {
  std::size_t bytes = 0;
  check({decoder(150, 1, true), decoder(1, 2, true), decoder(40, 3, true)}, &bytes);
  if (!counts_bytes()) return;
  EXPECT_EQ(bytes, 191 * vocabulary_.rows() * sizeof(std::uint16_t));
}

TEST_F(CudaPredictor, GivesTheSameFrequencies) {
  check({decoder(150, 1, false), decoder(1, 2, false), decoder(40, 3, false)});
}

// All in one batch, so that rows of each kind stand between others.
TEST_F(CudaPredictor, AnswersEachLaneWhatItAsks) {
  std::vector<Lane> lanes;
  for (unsigned i = 0; i < 30; ++i) {
    const std::size_t count = i % 5 + 1;
    lanes.push_back(i % 3 == 0 ? encoder(count, i) : decoder(count, i, i % 3 == 1));
  }
  exact::cuda::in_each_order([&] { check(lanes); });
}

// What a decoder makes of tokens of one code, up to the first one that does not fit its room, and
// where it stands behind them.
struct Decoded {
  std::vector<std::uint32_t> rows;
  coder::Decoder::State state;
};

// As codec/unit_coder.h has it; text::Vocabulary::kNoRow where the token does not fit.
std::uint32_t decode(LiveWalk& walk, std::size_t room, coder::Decoder& decoder) {
  const auto outcome = [&](std::uint32_t p) {
    return is_certain(p) ? static_cast<int>(p == kCertainly) : decoder.code(p);
  };
  for (std::size_t depth = 0; depth < room; ++depth) {
    if (depth > 0) {
      const int ended = outcome(walk.end());
      walk.set_end(ended != 0);
      if (ended) return walk.row();
    }
    for (int i = 0; i < 8; ++i) walk.set_bit(outcome(walk.bit()));
  }
  return walk.can_end() ? walk.row() : text::Vocabulary::kNoRow;
}

class CudaCode : public CudaPredictor {
 protected:
  using Rooms = std::vector<std::size_t>;

  Decoded on_the_processor(std::span<const std::uint8_t> code, const Rooms& rooms) {
    std::vector<Lane> lanes(rooms.size(), decoder(1, 0, false));
    feed(*predictor(false), lanes);
    coder::Decoder coder(code);
    Decoded decoded;
    for (std::size_t i = 0; i < rooms.size(); ++i) {
      LiveWalk walk(vocabulary_, lanes[i].next[0]);
      const std::uint32_t row = decode(walk, rooms[i], coder);
      if (row == text::Vocabulary::kNoRow) break;
      decoded.rows.push_back(row);
      decoded.state = coder.state();
    }
    return decoded;
  }

  // Of several codes, with what others want of the batch between them.
  std::vector<Decoded> on_the_device(const std::vector<std::vector<std::uint8_t>>& codes,
                                     const std::vector<Rooms>& rooms) {
    Lane first = lane_of(1, 0), encodes = encoder(3, 5), decodes = decoder(2, 6, true);
    std::vector<std::shared_ptr<TokenCode>> token_codes;
    std::vector<Decoded> decoded(codes.size());
    std::vector<LaneInput> batch;
    for (std::size_t c = 0; c < codes.size(); ++c) {
      token_codes.push_back(gpu_->begin_code(codes[c], coder::Decoder(codes[c]).state()));
      decoded[c].rows.resize(rooms[c].size());
      for (std::size_t i = 0; i < rooms[c].size(); ++i) {
        batch.push_back(first.input(gpu_->open_lane(nullptr)));
        batch.back().coded = {token_codes[c].get(), rooms[c][i], &decoded[c].rows[i]};
      }
      if (c == 1) batch.push_back(encodes.input(gpu_->open_lane(nullptr)));
      if (c == 2) batch.push_back(decodes.input(gpu_->open_lane(nullptr)));
    }
    gpu_->feed(batch);
    for (const LaneInput& input : batch) gpu_->close_lane(input.lane);
    for (std::size_t c = 0; c < codes.size(); ++c) {
      std::size_t fit = 0;
      for (const std::size_t room : rooms[c]) {
        const std::uint32_t row = decoded[c].rows[fit];
        if (row == text::Vocabulary::kNoRow || vocabulary_.bytes(row).size() > room) break;
        ++fit;
      }
      decoded[c].rows.resize(fit);
      decoded[c].state = token_codes[c]->state();
    }
    return decoded;
  }

  const std::unique_ptr<ExactPredictor> gpu_ = predictor(true);
};

// Any bytes, and little room, so that tokens end for want of it or do not fit.
TEST_F(CudaCode, IsDecodedAsByTheProcessor) {
  std::mt19937 random(1);
  std::size_t whole = 0, refused = 0;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::vector<std::uint8_t>> codes(4);
    std::vector<Rooms> rooms(codes.size());
    for (std::size_t c = 0; c < codes.size(); ++c) {
      codes[c].resize(random() % 30);
      for (std::uint8_t& byte : codes[c]) byte = static_cast<std::uint8_t>(random());
      rooms[c].resize(1 + random() % 50);
      for (std::size_t& room : rooms[c]) room = 1 + random() % (c % 2 == 0 ? 6 : 100);
    }
    const std::vector<Decoded> decoded = on_the_device(codes, rooms);
    for (std::size_t c = 0; c < codes.size(); ++c) {
      const Decoded expected = on_the_processor(codes[c], rooms[c]);
      ASSERT_EQ(expected.rows, decoded[c].rows) << round;
      if (expected.rows.size() < rooms[c].size()) {
        ++refused;
        continue;
      }
      ++whole;
      ASSERT_EQ(expected.state.position, decoded[c].state.position) << round;
      ASSERT_EQ(expected.state.value, decoded[c].state.value) << round;
      ASSERT_EQ(expected.state.range, decoded[c].state.range) << round;
    }
  }
  EXPECT_GT(whole, 20u);
  EXPECT_GT(refused, 20u);
}

// Token after token, a batch each, as lanes are decoded.
TEST_F(CudaCode, GoesOnInTheNextBatch) {
  const std::vector<std::uint8_t> code = {7, 99, 200, 31, 5, 77, 140, 3, 9, 211, 60, 4};
  const Rooms rooms(9, 100);
  const Decoded expected = on_the_processor(code, rooms);
  ASSERT_EQ(expected.rows.size(), rooms.size());
  const auto token_code = gpu_->begin_code(code, coder::Decoder(code).state());
  Lane first = lane_of(1, 0);
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    std::uint32_t row = 0;
    LaneInput input = first.input(gpu_->open_lane(nullptr));
    input.coded = {token_code.get(), rooms[i], &row};
    gpu_->feed({&input, 1});
    gpu_->close_lane(input.lane);
    EXPECT_EQ(row, expected.rows[i]) << i;
  }
  EXPECT_EQ(token_code->state().value, expected.state.value);
  EXPECT_EQ(predictor(false)->begin_code(code, coder::Decoder(code).state()), nullptr);
}

// A distribution that had frequencies is used again for decisions, and the other way round.
TEST_F(CudaPredictor, DistributionsAreUsedAgain) {
  for (const bool only_walks : {true, false, true}) {
    Lane lane = check({decoder(5, 1, !only_walks)})[0];
    lane.only_walks = only_walks;
    check({lane});
  }
}

}  // namespace
}  // namespace smll::lm
