#include "codec/opening_search.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace smll::codec {
namespace {

// Trials of openings whose pieces are spread over all.
constexpr std::size_t kSpreads = 3;
// Pieces whose costs say what is dear, and the units of each that are looked at.
constexpr std::size_t kDearPieces = 64, kDearUnits = 64;

std::string joined(std::span<const std::string_view> pieces, std::span<const std::size_t> opening) {
  std::string text;
  for (const std::size_t piece : opening) text += pieces[piece];
  return text;
}

}  // namespace

OpeningSearch::OpeningSearch(OpeningCosts& costs, std::span<const std::string_view> pieces,
                             const Coverage& coverage, std::span<const TokenizedRecord> held_back,
                             const OpeningLimits& limits)
    : costs_(costs),
      pieces_(pieces),
      coverage_(coverage),
      held_back_(held_back),
      limits_(limits),
      each_(OpeningCosts::work_of(limits.tokens, held_back)) {
  for (const std::string_view piece : pieces) sizes_.push_back(piece.size());
}

void OpeningSearch::run(std::uint64_t tokens) {
  end_ = costs_.fed() + tokens;
  propose_spread();
  propose_shared();
  if (is_left(each_ + limits_.tokens + kDearPieces * kDearUnits)) propose_dear();
  while (is_left(each_)) propose_changed();
}

// Openings are read to their end, so the pieces that help most come last.
OpeningSearch::Opening OpeningSearch::filled(Opening opening,
                                             std::span<const std::size_t> order) const {
  std::size_t left = limits_.bytes;
  for (const std::size_t piece : opening) left -= std::min(left, sizes_[piece]);
  Opening added;
  for (const std::size_t piece : order) {
    if (sizes_[piece] > left || std::ranges::find(opening, piece) != opening.end()) continue;
    added.push_back(piece);
    left -= sizes_[piece];
  }
  std::ranges::reverse(added);
  added.insert(added.end(), opening.begin(), opening.end());
  return added;
}

void OpeningSearch::propose_spread() {
  const std::size_t all = std::accumulate(sizes_.begin(), sizes_.end(), std::size_t{0});
  const std::size_t count = std::clamp<std::size_t>(
      pieces_.size() * limits_.bytes / std::max<std::size_t>(all, 1), 1, pieces_.size());
  for (std::size_t part = 0; part < kSpreads; ++part) {
    if (!best_.empty() && !is_left(each_)) return;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < count; ++i) {
      order.push_back((i * kSpreads + part) * pieces_.size() / (count * kSpreads));
    }
    std::ranges::reverse(order);
    try_opening(filled({}, order));
  }
}

void OpeningSearch::propose_shared() {
  if (is_left(each_)) {
    try_opening(filled({}, coverage_.choose(coverage_.shared(), sizes_, limits_.bytes)));
  }
}

// What the model still finds hard after the best opening, and other records will have, too.
void OpeningSearch::propose_dear() {
  const std::size_t count = std::min(kDearPieces, pieces_.size());
  std::vector<TokenizedRecord> records;
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    numbers.push_back(i * pieces_.size() / count);
    records.push_back(costs_.tokenize(pieces_[numbers.back()], kDearUnits));
  }
  const std::vector<std::vector<double>> bits = costs_.bits(best_text_, records);
  std::vector<std::vector<float>> costs(pieces_.size());
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t unit = 0; unit < bits[i].size(); ++unit) {
      const std::size_t size = costs_.size_of(records[i].units[unit]);
      costs[numbers[i]].insert(costs[numbers[i]].end(), size,
                               static_cast<float>(bits[i][unit] / static_cast<double>(size)));
    }
  }
  try_opening(
      filled({}, coverage_.choose(coverage_.shared_and_dear(costs), sizes_, limits_.bytes)));
}

// The best opening with others in the place of some of its pieces.
void OpeningSearch::propose_changed() {
  Opening opening;
  for (const std::size_t piece : best_) {
    if (below(4) != 0) opening.push_back(piece);
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < best_.size() + 8; ++i) {
    const std::size_t piece = below(pieces_.size());
    if (std::ranges::find(order, piece) == order.end()) order.push_back(piece);
  }
  try_opening(filled(std::move(opening), order));
}

void OpeningSearch::try_opening(Opening opening) {
  std::string text = joined(pieces_, opening);
  while (!opening.empty() &&
         costs_.tokenize(text, limits_.tokens + 1).units.size() > limits_.tokens) {
    text.erase(0, pieces_[opening.front()].size());
    opening.erase(opening.begin());
  }
  if (opening.empty()) {
    end_ = 0;  // nothing fits, and nothing will
    return;
  }
  const std::uint64_t before = costs_.fed();
  const double bits = costs_.total(text, held_back_);
  each_ = std::max<std::uint64_t>(1, costs_.fed() - before);
  if (!best_.empty() && bits >= best_bits_) return;
  best_bits_ = bits;
  best_ = std::move(opening);
  best_text_ = std::move(text);
}

}  // namespace smll::codec
