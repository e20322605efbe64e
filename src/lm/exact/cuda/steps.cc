#include "lm/exact/cuda/steps.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace smll::exact::cuda {
namespace {

// Lists that are remembered: as many as there are numbers of lanes and reaches of attention in
// turn, where few lanes are decoded. Each has up to some hundred starts.
constexpr std::size_t kMostKnown = 64;

// What stands before a start's arguments.
struct Head {
  Kernel kernel;
  std::uint32_t arg_bytes;
  Grid grid;
};
static_assert(sizeof(Head) % sizeof(std::uint64_t) == 0);

}  // namespace

void Steps::add(Kernel kernel, const Grid& grid, const void* args, std::size_t bytes) {
  const Head head = {kernel, static_cast<std::uint32_t>(bytes), grid};
  places_.push_back(words_.size());
  words_.resize(words_.size() + (sizeof head + bytes + 7) / 8);
  auto* const to = reinterpret_cast<char*>(words_.data() + places_.back());
  std::memcpy(to, &head, sizeof head);
  std::memcpy(to + sizeof head, args, bytes);
}

void Steps::clear() {
  words_.clear();
  places_.clear();
}

std::vector<Start> Steps::starts() const {
  std::vector<Start> starts;
  starts.reserve(places_.size());
  for (const std::size_t place : places_) {
    Head head;
    std::memcpy(&head, words_.data() + place, sizeof head);
    starts.push_back(
        {head.kernel, head.arg_bytes, head.grid, words_.data() + place + sizeof head / 8});
  }
  return starts;
}

void Steps::run() {
  const std::vector<Start> all = starts();
  const auto known = std::ranges::find(known_, words_, &Known::words);
  if (known == known_.end()) {
    for (const Start& start : all) queue_.start(start);
    if (known_.size() == kMostKnown) known_.pop_back();
    known_.push_front({std::move(words_), nullptr});
  } else {
    known_.splice(known_.begin(), known_, known);
    if (!known->graph) known->graph = queue_.record(all.data(), all.size());
    queue_.run(known->graph);
  }
  clear();
}

}  // namespace smll::exact::cuda
