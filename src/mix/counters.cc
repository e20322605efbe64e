#include "mix/counters.h"

#include <algorithm>
#include <memory>

namespace smll::mix {
namespace {

// Most observations kept of the more frequent bit, by those kept of the other
// one.
constexpr int kMostFrequent[] = {40, 20, 11, 8, 7, 6};
constexpr int kMostRare = 5;

bool allowed(int n0, int n1) {
  const int rare = std::min(n0, n1);
  return rare <= kMostRare && std::max(n0, n1) <= kMostFrequent[rare];
}

// The state's counts after `bit`: that side grows, the other shrinks to what
// still matters.
void advance(int& n0, int& n1, int bit) {
  int& same = bit != 0 ? n1 : n0;
  int& other = bit != 0 ? n0 : n1;
  ++same;
  if (other > 2) other = other > 14 ? 6 : (other > 5 ? 2 + other / 4 : other - 1);
  while (!allowed(n0, n1)) --(same > other ? same : other);
}

std::unique_ptr<const BitStates> build_states() {
  auto table = std::make_unique<BitStates>();
  struct Key {
    int n0, n1, last;
  };
  std::array<Key, 256> keys{};
  keys[0] = {0, 0, 0};
  int size = 1;
  for (int s = 0; s < size; ++s) {  // breadth first from the empty history
    const Key from = keys[static_cast<size_t>(s)];
    table->counts[static_cast<size_t>(s)] = {static_cast<uint8_t>(from.n0),
                                             static_cast<uint8_t>(from.n1)};
    for (int bit = 0; bit < 2; ++bit) {
      Key to{from.n0, from.n1, bit};
      advance(to.n0, to.n1, bit);
      int t = 0;
      while (t < size && !(keys[static_cast<size_t>(t)].n0 == to.n0 &&
                           keys[static_cast<size_t>(t)].n1 == to.n1 &&
                           keys[static_cast<size_t>(t)].last == to.last && t > 0)) {
        ++t;
      }
      if (t == size && size < 256) keys[static_cast<size_t>(size++)] = to;
      table->next[static_cast<size_t>(s)][static_cast<size_t>(bit)] = static_cast<uint8_t>(t);
    }
  }
  table->size = size;
  return table;
}

}  // namespace

const BitStates& bit_state_tables() {
  static const std::unique_ptr<const BitStates> kTable = build_states();
  return *kTable;
}

HistoryMap::HistoryMap() {
  constexpr uint32_t kPriorUpdates = 20;  // so that the first updates do not forget the prior
  const BitStates& states = bit_state_tables();
  for (size_t s = 0; s < map_.size(); ++s) {
    const uint32_t n0 = states.counts[s].n0, n1 = states.counts[s].n1;
    map_[s] = AdaptiveProb((n1 * 4 + 1) * 65535u / ((n0 + n1) * 4 + 2), kPriorUpdates);
  }
}

ProbMap::ProbMap(size_t contexts, uint32_t start, uint32_t limit)
    : nodes_(contexts * kNodes), limit_(limit) {
  for (int i = 0; i < kNodes; ++i) {
    nodes_[static_cast<size_t>(i)] =
        AdaptiveProb(squash(clamp_stretch((i - kNodes / 2) * kStretchOne)), start);
  }
  for (size_t i = kNodes; i < nodes_.size(); ++i) nodes_[i] = nodes_[i - kNodes];
}

}  // namespace smll::mix
