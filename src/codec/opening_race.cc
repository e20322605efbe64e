#include "codec/opening_race.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <numeric>

#include "codec/openings.h"
#include "coder/cost.h"

namespace smll::codec {
namespace {

// What is so much dearer than the best hardly catches up. "None" does more often: where openings
// lead a text astray it is what keeps the text from growing.
constexpr std::uint64_t kGap = 4 * coder::kCostOfBit, kGapOfNone = 8 * coder::kCostOfBit;
// A text of more tokens is long: an opening that suits its beginning may be a burden later.
constexpr std::size_t kLong = 64;

// How many openings run, and how many of the text's tokens are known behind it. A short text is
// over before the last heat, in which a long one has a single opening beside none.
struct Heat {
  std::size_t runners, goal;  // at most
};
constexpr std::array<Heat, 6> kHeats = {
    {{OpeningRace::kMostRunners - 1, 3}, {5, 6}, {2, 12}, {2, 24}, {2, kLong}, {1, 256}}};

}  // namespace

OpeningRace::OpeningRace(std::span<const std::uint64_t> choice,
                         std::span<const std::uint64_t> first, std::size_t tokens)
    : totals_(choice.begin(), choice.end()),
      runners_(choice.size()),
      long_(tokens > kLong),
      end_(std::min(tokens, kHeats.back().goal)) {
  assert(choice.size() == first.size() && !choice.empty() && tokens > 0);
  for (std::size_t i = 0; i < totals_.size(); ++i) totals_[i] += first[i];
  std::iota(runners_.begin(), runners_.end(), std::size_t{0});
  start_heat();
}

// Of openings alike, the first ones run. In a long text "none" always does.
void OpeningRace::start_heat() {
  std::ranges::stable_sort(runners_, {}, [this](std::size_t i) { return totals_[i]; });
  if (over()) return;
  const Heat& heat = kHeats[heat_++];
  const std::uint64_t least = totals_[runners_.front()];
  const bool none = is_running(kNoOpening) && (long_ || totals_[kNoOpening] <= least + kGapOfNone);
  runners_.resize(std::min(runners_.size(), heat.runners));
  std::erase_if(runners_, [&](std::size_t i) { return totals_[i] > least + kGap; });
  if (none && !is_running(kNoOpening)) runners_.push_back(kNoOpening);
  goal_ = std::min(end_, heat.goal);
}

bool OpeningRace::is_running(std::size_t opening) const {
  return std::ranges::find(runners_, opening) != runners_.end();
}

void OpeningRace::finish_heat(std::span<const std::uint64_t> costs) {
  assert(!over() && costs.size() == runners_.size());
  for (std::size_t i = 0; i < costs.size(); ++i) totals_[runners_[i]] += costs[i];
  known_ = goal_;
  start_heat();
}

}  // namespace smll::codec
