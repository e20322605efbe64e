#include "lm/frequencies.h"

#include "base/fp_env.h"

namespace smll::lm {

void logits_to_frequencies(std::span<const float> logits, std::span<std::uint32_t> freq,
                           exact::Isa isa) {
  const FpEnv environment;
  exact::kernels_for(isa).frequencies(logits.data(), logits.size(), freq.data());
}

void prefix_sums(std::span<const std::uint32_t> freq, std::span<std::uint64_t> sums) {
  std::uint64_t total = 0;
  const std::size_t blocks = freq.size() / kSumBlock;
  for (std::size_t b = 0; b < blocks; ++b) {
    sums[b] = total;
    // Four entries fit no 32-bit sum, so each is widened; the compiler vectorizes this loop.
    std::uint64_t block = 0;
    for (std::size_t i = 0; i < kSumBlock; ++i) block += freq[b * kSumBlock + i];
    total += block;
  }
  sums[blocks] = total;
}

std::uint64_t range_sum(std::span<const std::uint32_t> freq, std::span<const std::uint64_t> sums,
                        std::size_t begin, std::size_t end) {
  const auto before = [&](std::size_t i) {
    std::uint64_t sum = sums[i / kSumBlock];
    for (std::size_t j = i / kSumBlock * kSumBlock; j < i; ++j) sum += freq[j];
    return sum;
  };
  return begin < end ? before(end) - before(begin) : 0;
}

}  // namespace smll::lm
