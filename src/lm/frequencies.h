// From logits to integer frequencies, the same on every machine.
#pragma once

#include <cstdint>
#include <span>

#include "lm/exact/isa.h"

namespace smll::lm {

// freq[i] = 1 + floor(exp(logits[i] - max) * 2^30), so every token has at least 1 and the likeliest
// 2^30 + 1. NaN counts as the lowest possible logit. Both spans have the same size. Sets the
// floating-point environment.
void logits_to_frequencies(std::span<const float> logits, std::span<std::uint32_t> freq,
                           exact::Isa isa);

// Entries between two sums of prefix_sums.
inline constexpr std::size_t kSumBlock = 16;

// sums[i] = freq[0] + ... + freq[16i - 1]; sums has size freq.size()/16 + 1.
void prefix_sums(std::span<const std::uint32_t> freq, std::span<std::uint64_t> sums);

// freq[begin] + ... + freq[end - 1] with the help of those sums.
std::uint64_t range_sum(std::span<const std::uint32_t> freq, std::span<const std::uint64_t> sums,
                        std::size_t begin, std::size_t end);

}  // namespace smll::lm
