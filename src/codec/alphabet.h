// A model of three letters, for tests of who runs streams.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

#include "lm/predictor.h"

namespace smll::codec {

// Three tokens, a, b and c.
inline const text::Vocabulary& letters() {
  static const std::array<text::VocabularyEntry, 3> kEntries = {
      {{"a", true}, {"b", true}, {"c", true}}};
  static const text::Vocabulary vocabulary(kEntries);
  return vocabulary;
}

// Expects the token after the one before, a little more with each token of its lane.
class Alphabet : public lm::Predictor {
 public:
  explicit Alphabet(std::size_t fail_after = SIZE_MAX) : left_(fail_after) {}
  ~Alphabet() override {
    for (const int fed : fed_) EXPECT_EQ(fed, kClosed) << "a lane was left open";
  }
  int max_lanes() const override { return 1000; }
  bool prefill_is_exact() const override { return true; }
  std::size_t preferred_batch() const override { return 8; }
  std::shared_ptr<const lm::KeptContext> keep_lane(int) override { return nullptr; }
  int open_lane(std::shared_ptr<const lm::KeptContext>) override {
    const auto closed = std::ranges::find(fed_, kClosed);
    const auto number = static_cast<int>(closed - fed_.begin());
    if (closed == fed_.end()) fed_.push_back(kClosed);
    fed_[static_cast<std::size_t>(number)] = 0;
    return number;
  }
  void close_lane(int lane) override { fed_.at(static_cast<std::size_t>(lane)) = kClosed; }
  Token start_token() const override { return 2; }
  void feed(std::span<const lm::LaneInput> batch) override {
    lm::Distribution scratch;
    for (const lm::LaneInput& input : batch) {
      int& fed = fed_.at(static_cast<std::size_t>(input.lane));
      if (fed == kClosed) throw std::logic_error("the lane is closed");
      for (std::size_t i = 0; i < input.tokens.size(); ++i) {
        if (left_ == 0) throw std::runtime_error("the predictor failed");
        --left_;
        std::array<float, 3> logits = {};
        logits[static_cast<std::size_t>(input.tokens[i] + 1) % 3] =
            0.1f * static_cast<float>(++fed);
        lm::answer(input, i, logits, letters(), exact::Isa::kScalar, scratch);
      }
    }
  }
  std::size_t max_guesses(int) const override { return 4; }
  void take_back(int lane, std::size_t count) override {
    fed_.at(static_cast<std::size_t>(lane)) -= static_cast<int>(count);
  }

 private:
  static constexpr int kClosed = -1;
  std::vector<int> fed_;
  std::size_t left_;
};

}  // namespace smll::codec
