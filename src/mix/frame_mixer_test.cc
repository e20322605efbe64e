#include "mix/frame_mixer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/allocated_bytes.h"
#include "coder/range_coder.h"

namespace smll::mix {
namespace {

// A fixed generator, so that golden values mean the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33);
  }
  uint32_t below(uint32_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

std::string prose(size_t size, uint64_t seed) {
  static const char* const kWords[] = {"the", "rabbit", "said",  "Alice", "very",   "curious",
                                       "and", "then",   "queen", "of",    "hearts", "went"};
  Random random(seed);
  std::string text;
  while (text.size() < size) {
    text += kWords[random.below(12)];
    text += random.below(9) == 0 ? ".\n" : " ";
  }
  text.resize(size);
  return text;
}

std::string noise(size_t size) {
  Random random(77);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

std::vector<LaneExtent> cut(size_t size, size_t count) {
  std::vector<LaneExtent> lanes;
  for (size_t i = 0; i < count; ++i) {
    const size_t begin = size * i / count;
    lanes.push_back({begin, size * (i + 1) / count - begin});
  }
  return lanes;
}

// A stand-in for the language model: what it says depends on nothing but the decision's number.
class FakeModel {
 public:
  // Probability of 1 when the outcome is `bit`; the truth gets the better odds most of the time.
  // The decoder asks before it knows, so only `truth` may know: the text is given to both sides.
  explicit FakeModel(uint64_t seed) : random_(seed) {}
  uint32_t p(int bit) {
    const uint32_t p1 = 1 + random_.below(65535);
    const bool right = random_.below(4) != 0;
    const bool says_one = p1 >= 32768;
    return right == (says_one == (bit != 0)) ? p1 : 65536 - p1;
  }
  bool certain() { return random_.below(5) == 0; }
  uint32_t token_length() { return 1 + random_.below(5); }

 private:
  Random random_;
};

struct Walk {
  Sources experts;
  Strength strength;
  size_t lanes;
  uint64_t hash = 0;  // of all predictions
  double bits = 0;
  double model_bits = 0;
};

// One path for encoder and decoder. `truth` is what the model knows; only the encoder codes it.
template <typename Coder>
std::string walk(Walk& w, const std::string& truth, Coder& coder) {
  const auto lanes = cut(truth.size(), w.lanes);
  FrameMixer mixer(w.experts, w.strength, truth.size(), lanes);
  FakeModel model(5);
  const auto code = [&](uint32_t p, uint32_t model_p, int bit) {
    EXPECT_GE(p, 1u);
    EXPECT_LE(p, 65535u);
    w.hash = (w.hash ^ p) * 0x100000001b3u;
    const int coded = coder.code(p, bit);
    w.bits -= std::log2((bit != 0 ? p : 65536 - p) / 65536.0);
    w.model_bits -= std::log2((bit != 0 ? model_p : 65536 - model_p) / 65536.0);
    return coded;
  };
  const auto code_byte = [&](int lane, uint8_t byte, bool with_model) {
    for (int b = 7; b >= 0; --b) {
      const int bit = byte >> b & 1;
      if (!with_model) {
        mixer.update_bit(lane, code(mixer.predict_bit_cm(lane), 32768, bit));
      } else if (model.certain()) {
        mixer.skip_bit(lane, bit);
      } else {
        const uint32_t p = model.p(bit);
        mixer.update_bit(lane, code(mixer.predict_bit(lane, p), p, bit));
      }
    }
  };
  std::vector<size_t> at(lanes.size(), 0);
  for (bool more = true; more;) {
    more = false;
    for (size_t l = 0; l < lanes.size(); ++l) {
      const size_t left = lanes[l].size - at[l];
      if (left == 0) continue;
      more = true;
      const int lane = static_cast<int>(l);
      const bool with_model = w.experts != Sources::kCm && (at[l] % 7 != 6);
      const size_t length = std::min<size_t>(left, model.token_length());
      if (with_model) mixer.begin_token(lane);
      for (size_t d = 0; d < length; ++d) {
        if (with_model && d > 0) {
          const uint32_t p = model.p(0);
          mixer.update_end(lane, code(mixer.predict_end(lane, p), p, 0));
        }
        code_byte(lane, static_cast<uint8_t>(truth[lanes[l].begin + at[l]]), with_model);
        ++at[l];
      }
      if (with_model) {
        const uint32_t p = model.p(1);
        mixer.update_end(lane, code(mixer.predict_end(lane, p), p, 1));
      }
    }
  }
  return std::string(mixer.bytes().begin(), mixer.bytes().end());
}

struct Mode {
  Sources experts;
  Strength strength;
};
constexpr Mode kModes[] = {{Sources::kAll, Strength::kStrong},
                           {Sources::kLlm, Strength::kStrong},
                           {Sources::kCm, Strength::kStrong},
                           {Sources::kCm, Strength::kFast}};

TEST(FrameMixer, DecodesWhatItEncodesInAllModes) {
  const std::string texts[] = {"a",
                               "ab",
                               prose(3000, 1),
                               noise(1500),
                               std::string(2000, 'x'),
                               prose(700, 2) + noise(100) + prose(700, 2)};
  for (const std::string& text : texts) {
    for (const Mode mode : kModes) {
      for (const size_t lanes : {1, 2, 7}) {
        Walk in{mode.experts, mode.strength, lanes};
        coder::Encoder encoder;
        EXPECT_EQ(walk(in, text, encoder), text);
        const auto code = encoder.finish();
        Walk out{mode.experts, mode.strength, lanes};
        coder::Decoder decoder(code);
        EXPECT_EQ(walk(out, text, decoder), text);
        EXPECT_EQ(in.hash, out.hash);
        EXPECT_FALSE(decoder.overrun());
      }
    }
  }
}

Walk measure(Mode mode, const std::string& text, size_t lanes = 1) {
  Walk w{mode.experts, mode.strength, lanes};
  coder::Encoder encoder;
  walk(w, text, encoder);
  return w;
}

TEST(FrameMixer, ModelAloneIsPassedThrough) {
  FrameMixer mixer(Sources::kLlm, Strength::kStrong, 1, cut(1, 1));
  EXPECT_EQ(mixer.predict_bit(0, 4711), 4711u);
  mixer.update_bit(0, 1);
  EXPECT_EQ(mixer.predict_bit(0, 0), 1u);
  mixer.update_bit(0, 1);
  EXPECT_EQ(mixer.predict_bit(0, 70000), 65535u);
  EXPECT_EQ(mixer.predict_end(0, 123), 123u);
}

TEST(FrameMixer, StartsAsTheModel) {
  for (const uint32_t p : {1u, 2u, 100u, 9999u, 32768u, 50000u, 65000u, 65534u, 65535u}) {
    FrameMixer mixer(Sources::kAll, Strength::kStrong, 200, cut(200, 1));
    mixer.begin_token(0);
    const double odds = static_cast<double>(p) / (65536 - p);
    const uint32_t bit = mixer.predict_bit(0, p);
    EXPECT_NEAR(std::log(static_cast<double>(bit) / (65536 - bit)), std::log(odds), 0.03) << p;
    mixer.update_bit(0, 1);
    const uint32_t end = mixer.predict_end(0, p);
    EXPECT_NEAR(std::log(static_cast<double>(end) / (65536 - end)), std::log(odds), 0.03) << p;
  }
}

TEST(FrameMixer, SmallTextsLoseNothingToSpeakOf) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Walk w = measure(kModes[0], prose(40 + seed * 13, seed));
    EXPECT_LT(w.bits, w.model_bits + 24)
        << seed;  // three bytes, of which the bytes without model are most
  }
}

TEST(FrameMixer, ContextModelsLearn) {
  const std::string text = prose(20000, 3);
  EXPECT_LT(measure(kModes[2], text).bits, 1.3 * 20000);
  EXPECT_LT(measure(kModes[3], text).bits, 1.4 * 20000);
  EXPECT_LT(measure(kModes[2], std::string(20000, 'z')).bits, 600);
  const double noise_bits = 8.0 * 20000;
  EXPECT_LT(measure(kModes[2], noise(20000)).bits, 1.02 * noise_bits);
  EXPECT_LT(measure(kModes[3], noise(20000)).bits, 1.02 * noise_bits);
}

TEST(FrameMixer, CopiesGoOnAsTheOriginalWould) {
  const std::string read = prose(3000, 3), next = prose(900, 8);
  const auto predictions = [](FrameMixer& mixer, const std::string& text) {
    std::vector<uint32_t> all;
    for (const char c : text) {
      for (int b = 7; b >= 0; --b) {
        all.push_back(mixer.predict_bit_cm(0));
        mixer.update_bit(0, c >> b & 1);
      }
    }
    return all;
  };
  // Two sizes of one class: the larger one is the copy's in one case, the original's in the other.
  for (const size_t copied_size : {read.size() + next.size(), size_t{4095}}) {
    const size_t size = read.size() + next.size();
    ASSERT_EQ(FrameMixer::size_class(size), FrameMixer::size_class(copied_size));
    FrameMixer learned(Sources::kCm, Strength::kStrong, copied_size, cut(copied_size, 1));
    predictions(learned, read);
    FrameMixer copy(learned, size);
    FrameMixer direct(Sources::kCm, Strength::kStrong, size, cut(size, 1));
    predictions(direct, read);
    const std::vector<uint32_t> expected = predictions(direct, next);
    EXPECT_EQ(predictions(copy, next), expected);
    EXPECT_EQ(std::string(copy.bytes().begin(), copy.bytes().end()), read + next);
    EXPECT_EQ(predictions(learned, next.substr(0, 100)).front(), expected.front())
        << "the copy changed its original";
  }
}

// Codes a text in tokens of three bytes behind a model that knows nothing, and adds up the cost.
double cost_of(FrameMixer& mixer, int lane, const std::string& text) {
  double bits = 0;
  const auto add = [&bits](uint32_t p, int bit) {
    bits -= std::log2((bit != 0 ? p : 65536 - p) / 65536.0);
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 0) mixer.begin_token(lane);
    for (int b = 7; b >= 0; --b) {
      const int bit = text[i] >> b & 1;
      add(mixer.predict_bit(lane, 32768), bit);
      mixer.update_bit(lane, bit);
    }
    add(mixer.predict_end(lane, 32768), i % 3 == 2);
    mixer.update_end(lane, i % 3 == 2);
  }
  return bits;
}

TEST(FrameMixer, FramesGoOnFromWhatWasLearned) {
  const std::string sample = prose(6000, 3), opening = prose(900, 4), text = prose(400, 5);
  const size_t before = sample.size() + opening.size();
  const auto learned =
      std::make_shared<FrameMixer>(Sources::kAll, Strength::kStrong, before, cut(before, 1));
  learned->read(0, {reinterpret_cast<const uint8_t*>(sample.data()), sample.size()});
  cost_of(*learned, 0, opening);
  FrameMixer fresh(Sources::kAll, Strength::kStrong, text.size(), cut(text.size(), 2));
  const double without = cost_of(fresh, 0, text.substr(0, 200));
  double first = 0, second = 0;
  for (int time = 0; time < 2; ++time) {
    FrameMixer frame(learned, text.size(), cut(text.size(), 2));
    EXPECT_EQ(frame.bytes().size(), text.size());
    const double one = cost_of(frame, 0, text.substr(0, 200));
    const double two = cost_of(frame, 1, text.substr(200));
    EXPECT_LT(one, without * 0.8);
    EXPECT_EQ(std::string(frame.bytes().begin(), frame.bytes().end()), text);
    // What was learned is shared, and stays as it is.
    EXPECT_TRUE(time == 0 || std::pair(first, second) == std::pair(one, two));
    first = one;
    second = two;
  }
}

TEST(FrameMixer, LanesShareWhatTheyLearn) {
  const std::string text = prose(20000, 4);
  EXPECT_LT(measure(kModes[2], text, 8).bits, 1.1 * measure(kModes[2], text, 1).bits);
}

TEST(FrameMixer, LeavingExpertsOutChangesPredictionsOnly) {
  const auto names = expert_names();
  ASSERT_LE(names.size(), 64u);
  const std::string text = prose(300, 9);
  for (size_t e = 0; e < names.size(); ++e) {
    MixOptions options;
    options.leave_out = uint64_t{1} << e;
    FrameMixer mixer(Sources::kAll, Strength::kStrong, text.size(), cut(text.size(), 1), options);
    for (const char c : text) {
      mixer.begin_token(0);
      for (int b = 7; b >= 0; --b) {
        const uint32_t p = mixer.predict_bit(0, 20000);
        ASSERT_TRUE(p >= 1 && p <= 65535);
        mixer.update_bit(0, c >> b & 1);
      }
      mixer.predict_end(0, 30000);
      mixer.update_end(0, 1);
    }
    EXPECT_EQ(std::string(mixer.bytes().begin(), mixer.bytes().end()), text) << names[e];
  }
}

TEST(FrameMixer, TakesNoMoreMemoryThanItSays) {
  if (!allocated_bytes()) GTEST_SKIP() << "the allocator does not say how much it has given";
  for (const auto& [experts, strength] : {std::pair{Sources::kLlm, Strength::kStrong},
                                          {Sources::kAll, Strength::kStrong},
                                          {Sources::kCm, Strength::kStrong},
                                          {Sources::kCm, Strength::kFast}}) {
    for (const size_t size : {0u, 1u, 1000u, 9000u, 300000u, 1u << 20}) {
      const LaneExtent lane{0, size};
      const uint64_t before = *allocated_bytes();
      FrameMixer mixer(experts, strength, size, {&lane, 1});
      mixer.begin_token(0);
      mixer.predict_bit_cm(0);  // makes what is made late
      const uint64_t taken = *allocated_bytes() - before;
      const uint64_t said = FrameMixer::memory(experts, strength, size);
      EXPECT_LE(taken, said) << static_cast<int>(experts) << " " << size;
      EXPECT_LE(said, taken * 11 / 10 + (uint64_t{5} << 20))
          << static_cast<int>(experts) << " " << size;
    }
  }
}

// Any change of a prediction makes archives unreadable: give the method a new number with these
// values (kRetiredMethod).
TEST(FrameMixer, PredictionsAreThoseOfTheFormat) {
  const std::string text = prose(4000, 11) + noise(500) + prose(1000, 11);
  const uint64_t kGolden[] = {8857182942785764254u, 12166981491446241102u, 4437808978453261410u,
                              14908373085041749155u};
  for (size_t m = 0; m < 4; ++m) {
    EXPECT_EQ(measure(kModes[m], text, 3).hash, kGolden[m]) << "mode " << m;
  }
}

}  // namespace
}  // namespace smll::mix
