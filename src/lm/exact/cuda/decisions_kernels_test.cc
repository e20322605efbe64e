// The GPU's frequencies and probabilities of decisions against the CPU's, as in kernels_test.cc.
#include <functional>
#include <string>

#include "lm/distribution.h"
#include "lm/exact/cuda/kernels_fixture.h"
#include "lm/exact/cuda/rooms.h"
#include "lm/frequencies.h"

namespace smll::exact::cuda {
namespace {

constexpr std::uint32_t kThreads = 256;

class CudaDecisions : public CudaKernels {
 protected:
  // The frequencies of rows of logits, on both sides.
  struct Computed {
    std::vector<std::vector<std::uint32_t>> frequencies;
    std::vector<std::vector<std::uint64_t>> sums;
    Array<float> values;
    Array<std::uint64_t> device_sums;
    Frequencies args;
  };

  // Rows lie as the matrix product leaves them, with what is of no row behind them.
  Computed compute(const std::vector<std::vector<float>>& rows) {
    const std::size_t count = rows[0].size(), stride = (count + kTile - 1) / kTile * kTile;
    const std::size_t sum_count = count / lm::kSumBlock + 1;
    std::vector<float> logits;
    for (const std::vector<float>& row : rows) {
      logits.insert(logits.end(), row.begin(), row.end());
      logits.resize(logits.size() + stride - count, 1e30f);
    }
    Computed computed{{},
                      {},
                      Array<float>(*gpu_, logits),
                      Array<std::uint64_t>(*gpu_, rows.size() * sum_count),
                      {}};
    for (const std::vector<float>& row : rows) {
      computed.frequencies.emplace_back(count);
      computed.sums.emplace_back(sum_count);
      scalar().frequencies(row.data(), count, computed.frequencies.back().data());
      lm::prefix_sums(computed.frequencies.back(), computed.sums.back());
    }
    computed.args = {computed.values.get(), computed.device_sums.get(), stride, count32(sum_count),
                     count32(count)};
    gpu_->start(kFrequencies, {count32(rows.size()), 1, kThreads, frequencies_room(kThreads)},
                computed.args);
    return computed;
  }

  static void expect_same_frequencies(const Computed& computed) {
    const std::vector<float> values = computed.values.values();
    const std::vector<std::uint64_t> sums = computed.device_sums.values();
    for (std::size_t r = 0; r < computed.frequencies.size(); ++r) {
      const std::vector<std::uint32_t>& expected = computed.frequencies[r];
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(expected[i], std::bit_cast<std::uint32_t>(values[r * computed.args.stride + i]))
            << "entry " << i << " of row " << r;
      }
      for (std::size_t b = 0; b < computed.args.sum_stride; ++b) {
        ASSERT_EQ(computed.sums[r][b], sums[r * computed.args.sum_stride + b])
            << "sum " << b << " of row " << r;
      }
    }
  }

  // Any division of so many rows, by middle.
  std::vector<Decision> some_decisions(std::uint32_t count) {
    std::vector<Decision> decisions(count);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges = {{0, count}};
    while (!ranges.empty()) {
      const auto [lo, hi] = ranges.back();
      ranges.pop_back();
      if (hi - lo < 2) continue;
      // Often at the border, as decisions to end are.
      const std::uint32_t middle =
          random_() % 3 == 0 ? lo + 1
                             : lo + 1 + static_cast<std::uint32_t>(random_() % (hi - lo - 1));
      decisions[middle] = {lo, hi, static_cast<std::uint32_t>(random_() % 2), 0, 0, 0};
      ranges.emplace_back(lo, middle);
      ranges.emplace_back(middle, hi);
    }
    return decisions;
  }

  static std::uint32_t expected_of(const Computed& computed, std::size_t row,
                                   const Decision& decision, std::uint32_t middle) {
    const auto sum = [&](std::uint32_t lo, std::uint32_t hi) {
      return lm::range_sum(computed.frequencies[row], computed.sums[row], lo, hi);
    };
    const std::uint64_t part =
        decision.first_part ? sum(decision.lo, middle) : sum(middle, decision.hi);
    return lm::probability(part, sum(decision.lo, decision.hi));
  }

  void expect_same_decisions(const std::vector<std::vector<float>>& rows) {
    const std::uint32_t count = count32(rows[0].size());
    const Computed computed = compute(rows);
    const std::vector<Decision> decisions = some_decisions(count);
    const Array<Decision> table(*gpu_, decisions);
    // All of each second row, the last one first.
    std::vector<std::uint32_t> asked;
    for (std::size_t r = rows.size(); r > 0; r -= std::min<std::size_t>(r, 2)) {
      asked.push_back(count32(r - 1));
    }
    const Array<std::uint32_t> asked_rows(*gpu_, asked);
    const Array<std::uint16_t> all(*gpu_, asked.size() * count);
    gpu_->start(kAllDecisions,
                {(count + kThreads - 1) / kThreads, count32(asked.size()), kThreads, 0},
                AllDecisionsArgs{computed.args, table.get(), asked_rows.get(), all.get()});
    const std::vector<std::uint16_t> all_values = all.values();
    for (std::size_t i = 0; i < asked.size(); ++i) {
      ASSERT_EQ(all_values[i * count], 0);
      for (std::uint32_t middle = 1; middle < count; ++middle) {
        ASSERT_EQ(expected_of(computed, asked[i], decisions[middle], middle),
                  all_values[i * count + middle])
            << "middle " << middle << " of row " << asked[i];
      }
    }
    if (count < 2) return;
    std::vector<Question> questions;
    for (int i = 0; i < 1000; ++i) {
      questions.push_back({static_cast<std::uint32_t>(random_() % rows.size()),
                           1 + static_cast<std::uint32_t>(random_() % (count - 1))});
    }
    const Array<Question> device_questions(*gpu_, questions);
    const Array<std::uint16_t> some(*gpu_, questions.size());
    gpu_->start(kSomeDecisions, {4, 1, kThreads, 0},
                SomeDecisionsArgs{computed.args, table.get(), device_questions.get(), some.get(),
                                  questions.size()});
    const std::vector<std::uint16_t> some_values = some.values();
    for (std::size_t i = 0; i < questions.size(); ++i) {
      const auto [row, middle] = questions[i];
      ASSERT_EQ(expected_of(computed, row, decisions[middle], middle), some_values[i])
          << "question " << i;
    }
  }

  // Random ones, and what is rare in them.
  std::vector<std::vector<float>> some_rows(std::size_t count) {
    std::vector<std::vector<float>> rows = {floats(count, false), floats(count, true)};
    for (const float value : {0.0f, -0.0f, 1e-42f, kNan, kInf, -kInf, -3.402823466e38f, 3e38f}) {
      rows.emplace_back(count, value);  // all equal
    }
    rows.push_back(floats(count, false));
    rows.back()[random_() % count] = kNan;
    rows.push_back(floats(count, false));
    rows.back()[random_() % count] = -kInf;
    rows.push_back(floats(count, false));
    rows.back()[random_() % count] = kInf;
    rows.emplace_back(count, -100.0f);  // one takes all
    rows.back()[random_() % count] = 100.0f;
    rows.emplace_back(count, 0.0f);  // near where the exponential vanishes
    for (float& logit : rows.back()) logit = -std::fabs(normal(60.0f));
    rows.emplace_back(count, 0.0f);  // next to each other
    for (float& logit : rows.back()) logit = std::nextafter(1.0f, normal(1.0f) > 0 ? 0.0f : 2.0f);
    return rows;
  }
};

// Around blocks of 16, runs of threads and all of them; SmolLM2's.
constexpr std::size_t kCounts[] = {1, 2, 15, 16, 17, 100, 255, 256, 257, 4096, 4101, 49152};

TEST_F(CudaDecisions, FrequenciesEqualTheScalarOnes) {
  for (const std::size_t count : kCounts) {
    const auto rows = some_rows(count);
    in_each_order([&] { expect_same_frequencies(compute(rows)); });
    if (HasFatalFailure()) return;
  }
}

TEST_F(CudaDecisions, ProbabilitiesEqualThoseOfWalks) {
  for (const std::size_t count : kCounts) {
    const auto rows = some_rows(count);
    in_each_order([&] { expect_same_decisions(rows); });
    if (HasFatalFailure()) return;
  }
}

// Sums of 2^47 and more are halved before parts of them, here of up to 2^49, are multiplied.
TEST_F(CudaDecisions, OfMoreRowsThanASumOf47BitsHas) {
  const std::size_t count = (std::size_t{1} << 19) + 37;
  const std::vector<float> equal(count, 1.0f);
  std::vector<float> unequal = equal;
  for (std::size_t i = 0; i < count; i += 3) unequal[i] = 1.0f - std::fabs(normal(1.0f));
  const std::vector<std::vector<float>> rows = {unequal, equal};
  const Computed computed = compute(rows);
  ASSERT_GE(computed.sums[0].back(), std::uint64_t{1} << 48);
  expect_same_frequencies(computed);
  expect_same_decisions(rows);
}

}  // namespace
}  // namespace smll::exact::cuda
