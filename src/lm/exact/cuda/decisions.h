// From logits to integer frequencies (lm/frequencies.h), and from these to the probabilities of a
// walk's decisions (lm/decisions.h), each with the bits of its twin there.
#pragma once

#include "lm/exact/cuda/abi.h"
#include "lm/exact/cuda/arithmetic.h"
#include "lm/exact/cuda/rooms.h"
#include "lm/exact/cuda/simt.h"

namespace smll::exact::cuda {

SMLL_DEVICE uint32_t frequency(float logit, float most) {
  return static_cast<uint32_t>(to_int(mul(exp_or_zero(sub(logit, most)), 1073741824.0f))) + 1u;
}

// The largest of values[count], at least -FLT_MAX, in most[0] of what all threads see. A NaN does
// not count, so the order does not matter.
SMLL_DEVICE void find_largest(const Block& block, const float* values, uint32_t count,
                              float* most) {
  block.each([&](int t) {
    float largest = -3.402823466e38f;
    for (uint32_t i = t; i < count; i += block.threads) largest = larger(values[i], largest);
    most[t] = largest;
  });
  for (int half = block.threads / 2; half > 0; half /= 2) {
    block.each([&](int t) {
      if (t < half) most[t] = larger(most[t + half], most[t]);
    });
  }
}

// sums[count] become the sums before each. Each thread adds up consecutive ones.
SMLL_DEVICE void sum_up(const Block& block, uint64_t* sums, uint32_t count, uint64_t* totals) {
  const uint32_t each = (count + block.threads - 1) / block.threads;
  const auto first_of = [&](int t) { return each * t < count ? each * t : count; };
  block.each([&](int t) {
    uint64_t total = 0;
    for (uint32_t b = first_of(t); b < first_of(t + 1); ++b) total += sums[b];
    totals[t] = total;
  });
  block.each([&](int t) {
    if (t != 0) return;
    uint64_t before = 0;
    for (int i = 0; i < block.threads; ++i) {
      const uint64_t total = totals[i];
      totals[i] = before;
      before += total;
    }
  });
  block.each([&](int t) {
    uint64_t before = totals[t];
    for (uint32_t b = first_of(t); b < first_of(t + 1); ++b) {
      const uint64_t own = sums[b];
      sums[b] = before;
      before += own;
    }
  });
}

// A block a row. Shared memory: frequencies_room() bytes.
SMLL_DEVICE void frequencies(const Block& block, const Frequencies& args) {
  auto* const totals = reinterpret_cast<uint64_t*>(block.shared);
  auto* const most = reinterpret_cast<float*>(totals + block.threads);
  const uint64_t row = block.x;
  float* const values = args.values + row * args.stride;
  uint64_t* const sums = args.sums + row * args.sum_stride;
  const uint32_t sum_count = args.count / kSumEntries + 1;
  find_largest(block, values, args.count, most);
  block.each([&](int t) {
    for (uint32_t b = t; b < sum_count; b += block.threads) {
      const uint32_t first = b * kSumEntries;
      const uint32_t rest = args.count - first;
      uint64_t sum = 0;
      for (uint32_t i = first; i < first + (rest < kSumEntries ? rest : kSumEntries); ++i) {
        const uint32_t value = frequency(values[i], most[0]);
        values[i] = float_of(value);
        sum += value;
      }
      sums[b] = sum;
    }
  });
  sum_up(block, sums, sum_count, totals);
}

// The sum of a row's frequencies before entry i. All are read at once, not one after another.
SMLL_DEVICE uint64_t sum_before(const float* values, const uint64_t* sums, uint32_t i) {
  uint64_t sum = sums[i / kSumEntries];
  const float* const block = values + i / kSumEntries * kSumEntries;
  for (uint32_t j = 0; j < kSumEntries; ++j) sum += j < i % kSumEntries ? bits_of(block[j]) : 0u;
  return sum;
}

// As lm::probability() gives it.
SMLL_DEVICE uint32_t probability(uint64_t part, uint64_t whole) {
  while (whole >> 47) {
    part >>= 1;
    whole >>= 1;
  }
  const uint64_t p = (part << 16) / whole;
  return static_cast<uint32_t>(p < 1 ? 1 : p > 65535 ? 65535 : p);
}

SMLL_DEVICE uint16_t probability(const Frequencies& from, uint64_t row, const Decision& decision,
                                 uint32_t middle) {
  const float* const values = from.values + row * from.stride;
  const uint64_t* const sums = from.sums + row * from.sum_stride;
  const uint64_t before = sum_before(values, sums, decision.lo);
  const uint64_t first_part = sum_before(values, sums, middle) - before;
  const uint64_t whole = sum_before(values, sums, decision.hi) - before;
  return static_cast<uint16_t>(
      probability(decision.first_part ? first_part : whole - first_part, whole));
}

// Block x: as many questions as it has threads.
SMLL_DEVICE void some_decisions(const Block& block, const SomeDecisionsArgs& args) {
  block.each([&](int t) {
    const uint64_t i = static_cast<uint64_t>(block.x) * block.threads + t;
    if (i >= args.count) return;
    const Question asked = args.questions[i];
    args.results[i] = probability(args.from, asked.row, args.decisions[asked.middle], asked.middle);
  });
}

// Block x: as many decisions as it has threads; block y: the row, among those asked about.
SMLL_DEVICE void all_decisions(const Block& block, const AllDecisionsArgs& args) {
  uint16_t* const results = args.results + static_cast<uint64_t>(block.y) * args.from.count;
  block.each([&](int t) {
    const uint32_t middle = block.x * block.threads + t;
    if (middle >= args.from.count) return;
    results[middle] =
        middle == 0 ? 0
                    : probability(args.from, args.rows[block.y], args.decisions[middle], middle);
  });
}

}  // namespace smll::exact::cuda
