#include "lm/decisions.h"

namespace smll::lm {
namespace {

// Any that is not certain.
constexpr std::uint32_t kUnknown = 1;

// Opinions that note what they are asked.
struct Table {
  std::vector<Decision> decisions;

  std::uint32_t first_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) {
    decisions[middle] = {lo, hi, true};
    return kUnknown;
  }
  std::uint32_t last_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) {
    decisions[middle] = {lo, hi, false};
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
  return std::move(table.decisions);
}

void outline(const text::Vocabulary& vocabulary, std::uint32_t row, RecordedPath& path,
             std::vector<std::uint32_t>& middles) {
  Middles opinion{middles};
  path.record(vocabulary, opinion, row);
}

}  // namespace smll::lm
