#include "codec/coverage.h"

#include <xxhash.h>

#include <algorithm>
#include <numeric>
#include <queue>
#include <utility>

namespace smll::codec {
namespace {

// Bytes of a gram: about three tokens of text.
constexpr std::size_t kGram = 10;
constexpr std::size_t kSlots = std::size_t{1} << 21;

std::uint32_t slot_of(std::string_view text, std::size_t at) {
  return static_cast<std::uint32_t>(XXH3_64bits(text.data() + at, kGram) % kSlots);
}

std::size_t grams_of(std::size_t size) { return size < kGram ? 0 : size - kGram + 1; }

}  // namespace

Coverage::Coverage(std::span<const std::string_view> records)
    : records_(records.begin(), records.end()), slots_(records.size()), shared_(kSlots, -1.0F) {
  for (std::size_t i = 0; i < records_.size(); ++i) {
    std::vector<std::uint32_t>& slots = slots_[i];
    for (std::size_t at = 0; at < grams_of(records_[i].size()); ++at) {
      slots.push_back(slot_of(records_[i], at));
    }
    std::ranges::sort(slots);
    slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
    for (const std::uint32_t slot : slots) shared_[slot] += 1;
  }
  for (float& count : shared_) count = std::max(count, 0.0F);
}

Coverage::Weights Coverage::shared_and_dear(std::span<const std::vector<float>> costs) const {
  Weights weights(kSlots, 0.0F);
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const std::size_t known = std::min(costs[i].size(), records_[i].size());
    if (known < kGram) continue;
    float sum = std::accumulate(costs[i].begin(), costs[i].begin() + kGram, 0.0F);
    for (std::size_t at = 0;; ++at) {
      const std::uint32_t slot = slot_of(records_[i], at);
      if (shared_[slot] > 0) weights[slot] += sum;
      if (at + kGram >= known) break;
      sum += costs[i][at + kGram] - costs[i][at];
    }
  }
  return weights;
}

float Coverage::worth(std::size_t record, const Weights& weights, std::size_t size) const {
  float sum = 0;
  for (const std::uint32_t slot : slots_[record]) sum += weights[slot];
  return sum / static_cast<float>(size);
}

std::vector<std::size_t> Coverage::choose(Weights weights, std::span<const std::size_t> sizes,
                                          std::size_t budget) const {
  // A record's worth only falls, so that one which is still worth most when it is looked at anew is
  // worth most of all.
  std::priority_queue<std::pair<float, std::size_t>> queue;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (sizes[i] != 0) queue.emplace(worth(i, weights, sizes[i]), i);
  }
  std::vector<std::size_t> chosen;
  while (!queue.empty() && queue.top().first > 0) {
    const std::size_t record = queue.top().second;
    queue.pop();
    if (sizes[record] > budget) continue;
    const float now = worth(record, weights, sizes[record]);
    if (!queue.empty() && now < queue.top().first) {
      if (now > 0) queue.emplace(now, record);
      continue;
    }
    if (now <= 0) break;
    chosen.push_back(record);
    budget -= sizes[record];
    for (const std::uint32_t slot : slots_[record]) weights[slot] = 0;
  }
  return chosen;
}

}  // namespace smll::codec
