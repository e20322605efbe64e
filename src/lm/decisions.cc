#include "lm/decisions.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace smll::lm {
namespace {

// Any that is not certain.
constexpr std::uint32_t kUnknown = 1;

// Opinions that note what they are asked.
struct Table {
  std::vector<Decision> decisions;

  std::uint32_t first_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) {
    return note({lo, hi, true}, middle);
  }
  std::uint32_t last_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) {
    return note({lo, hi, false}, middle);
  }
  std::uint32_t note(const Decision& decision, std::uint32_t middle) {
    decisions[middle] = decision;
    return kUnknown;
  }
};

struct Middles {
  std::vector<std::uint32_t>& list;

  std::uint32_t first_part(std::uint32_t /*lo*/, std::uint32_t middle, std::uint32_t /*hi*/) {
    list.push_back(middle);
    return kUnknown;
  }
  std::uint32_t last_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) {
    return first_part(lo, middle, hi);
  }
};

std::uint32_t shared_bytes(std::string_view a, std::string_view b) {
  return static_cast<std::uint32_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// A part of rows has a border in common with the decision that leaves it, whose other one is where
// it ends.
void link(std::vector<Decision>& decisions) {
  for (std::uint32_t middle = 1; middle < decisions.size(); ++middle) {
    const auto [lo, hi] = std::pair(decisions[middle].lo, decisions[middle].hi);
    if (lo > 0 && decisions[lo].hi == hi) {
      decisions[lo].next_last = middle;
    } else if (hi < decisions.size()) {
      decisions[hi].next_first = middle;
    }
  }
}

}  // namespace

std::vector<Decision> decisions_of(const text::Vocabulary& vocabulary) {
  Table table{std::vector<Decision>(vocabulary.rows())};
  std::vector<Walk<Table>> open = {{vocabulary, table}};
  while (!open.empty()) {
    Walk<Table> walk = open.back();
    open.pop_back();
    if (walk.is_between_bytes()) {
      walk.end();
      walk.set_end(false);
    }
    walk.bit();
    for (const int bit : {0, 1}) {
      Walk<Table> next = walk;
      next.set_bit(bit);
      if (next.rows() > 1) open.push_back(next);
    }
  }
  for (std::uint32_t middle = 1; middle < table.decisions.size(); ++middle) {
    Decision& decision = table.decisions[middle];
    decision.depth = shared_bytes(vocabulary.bytes(decision.lo), vocabulary.bytes(decision.hi - 1));
  }
  link(table.decisions);
  return std::move(table.decisions);
}

std::uint32_t root_of(std::span<const Decision> decisions) {
  const auto is_root = [&](const Decision& d) { return d.lo == 0 && d.hi == decisions.size(); };
  const auto root = std::find_if(decisions.begin() + 1, decisions.end(), is_root);
  return root == decisions.end() ? 0 : static_cast<std::uint32_t>(root - decisions.begin());
}

void outline(const text::Vocabulary& vocabulary, std::uint32_t row, RecordedPath& path,
             std::vector<std::uint32_t>& middles) {
  Middles opinion{middles};
  path.record(vocabulary, opinion, row);
}

}  // namespace smll::lm
