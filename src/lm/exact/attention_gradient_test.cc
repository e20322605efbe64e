// Against differences of attention itself, in doubles over the same cache.
#include "lm/exact/attention_gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "lm/exact/attention.h"
#include "lm/exact/isa.h"

namespace smll::exact {
namespace {

constexpr int kDim = 32;
using Rows = std::vector<std::vector<double>>;

// A head over positions 0 .. kEnd - 1, of which the last kStepRows are the step's.
class AttentionGradientTest : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  AttentionGradientTest() : pool_(KvLayout(kDim), 1), cache_(pool_, 512) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    for (int position = 0; position < first_ + kStepRows; ++position) {
      cache_.reserve(position, 1);
      std::vector<float> key(kDim), value(kDim);
      for (float& x : key) x = normal(random);
      for (float& x : value) x = normal(random);
      ActivationBuffer quantized(1, kDim);
      kernels_.quantize(key.data(), kDim, quantized.view());
      cache_.store_key(position, 0, quantized.view().q8, quantized.view().scale);
      cache_.store_value(position, 0, value.data());
      cache_.read(position, 0, key.data(), value.data());
      keys_.emplace_back(key.begin(), key.end());
      values_.emplace_back(value.begin(), value.end());
    }
    for (float& x : query_) x = normal(random) * 0.5f;
    for (float& x : gradient_) x = normal(random);
    here_.fill(rotary_, first_, first_ + kStepRows);
    from_first_.fill(rotary_, first_, window_ - 1);
  }

  static std::vector<double> turned(const float* x, const Rotations& by, int t, bool back) {
    std::vector<double> y(kDim);
    for (int i = 0; i < kDim; ++i) {
      const double sin = by.sin[t * kDim + i] * (back ? -1.0 : 1.0);
      y[i] = x[i] * by.cos[t * kDim + i] + x[i ^ 1] * sin;
    }
    return y;
  }

  // One query's result, and the scores' maximum and 1 / sum of exp(score - maximum).
  std::vector<double> attend(int t, std::vector<double>* softmax = nullptr) const {
    const int position = first_ + t;
    std::vector<int> seen = {0};
    for (int j = static_cast<int>(window_begin(position, window_)); j <= position; ++j) {
      seen.push_back(j);
    }
    const std::vector<double> here = turned(&query_[t * kDim], here_, t, false);
    const std::vector<double> first = turned(&query_[t * kDim], from_first_, t, false);
    std::vector<double> scores, result(kDim);
    for (const int j : seen) {
      double score = 0;
      for (int i = 0; i < kDim; ++i) score += (j == 0 ? first : here)[i] * keys_[j][i];
      scores.push_back(score);
    }
    const double max = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (const double score : scores) sum += std::exp(score - max);
    for (std::size_t k = 0; k < seen.size(); ++k) {
      const double weight = std::exp(scores[k] - max) / sum;
      for (int i = 0; i < kDim; ++i) result[i] += weight * values_[seen[k]][i];
    }
    if (softmax) *softmax = {max, 1 / sum};
    return result;
  }

  // What the gradients are of.
  double total() const {
    double sum = 0;
    for (int t = 0; t < kStepRows; ++t) {
      const std::vector<double> result = attend(t);
      for (int i = 0; i < kDim; ++i) sum += result[i] * gradient_[t * kDim + i];
    }
    return sum;
  }

  template <typename Number>
  double slope(Number& x) const {
    constexpr double kMove = 1e-2;
    const Number old = x;
    x = static_cast<Number>(old + kMove);
    const double above = total();
    x = static_cast<Number>(old - kMove);
    const double below = total();
    x = old;
    return (above - below) / (2 * kMove);
  }

  const int first_ = GetParam().first;
  const int window_ = GetParam().second;
  const Kernels& kernels_ = scalar_kernels();
  KvPool pool_;
  KvCache cache_;
  Rows keys_, values_;  // keys as they are rotated
  const RotaryTable rotary_{{kDim, 10000.0, 1.0, {}}};
  Rotations here_{kDim}, from_first_{kDim};
  std::vector<float> query_ = std::vector<float>(kStepRows * kDim);
  std::vector<float> gradient_ = query_;
};

TEST_P(AttentionGradientTest, IsThatOfAttention) {
  std::vector<float> attended, softmax;
  for (int t = 0; t < kStepRows; ++t) {
    std::vector<double> of_row;
    for (const double x : attend(t, &of_row)) attended.push_back(static_cast<float>(x));
    for (const double x : of_row) softmax.push_back(static_cast<float>(x));
  }
  std::vector<float> query(query_.size()), key(query), value(query);
  AttentionGradient(kernels_, kDim)
      .run({&cache_,
            0,
            static_cast<std::uint64_t>(first_),
            {window_, true},
            1.0f / std::sqrt(static_cast<float>(kDim)),
            &here_,
            &from_first_,
            query_.data(),
            attended.data(),
            gradient_.data(),
            kDim,
            softmax.data(),
            2,
            query.data(),
            key.data(),
            value.data()});
  const double scale = 1 / std::sqrt(double{kDim});
  for (const int t : {0, 1, 17, kStepRows - 1}) {
    if (first_ + t == 0) continue;    // position 0 is a constant
    std::vector<float> of_key(kDim);  // of the rotated one
    for (int i = 0; i < kDim; ++i) {
      EXPECT_NEAR(slope(query_[t * kDim + i]) * scale, query[t * kDim + i], 2e-3) << t;
      EXPECT_NEAR(slope(values_[first_ + t][i]), value[t * kDim + i], 2e-3) << t;
      of_key[i] = static_cast<float>(slope(keys_[first_ + t][i]));
    }
    const std::vector<double> turned_back = turned(of_key.data(), here_, t, true);
    for (int i = 0; i < kDim; ++i) EXPECT_NEAR(turned_back[i], key[t * kDim + i], 2e-3) << t;
  }
}

// First position and window: the start, all of a longer past, a past cut off within a block, and a
// window shorter than a step.
INSTANTIATE_TEST_SUITE_P(Windows, AttentionGradientTest,
                         testing::Values(std::pair(0, 512), std::pair(192, 512),
                                         std::pair(192, 150), std::pair(128, 40)));

}  // namespace
}  // namespace smll::exact
