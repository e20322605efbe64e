// Records that share most with others: what a text of their kind will likely have, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace smll::codec {

// The pieces of a fixed length ("grams") of many records, by the slots of a table that they fall
// into; different ones seldom share a slot.
class Coverage {
 public:
  explicit Coverage(std::span<const std::string_view> records);

  // What a slot is worth: by default, how many other records have it as well.
  using Weights = std::vector<float>;
  const Weights& shared() const { return shared_; }
  // Where `costs` says what each byte of some of the records costs (empty for the others): what is
  // dear there and shared is worth more.
  Weights shared_and_dear(std::span<const std::vector<float>> costs) const;

  // Repeatedly the record whose slots, as far as no earlier one has them, are worth most for its
  // size, until none is worth anything or `budget` is used up. `sizes` are of the records; 0 leaves
  // one out. The best come first.
  std::vector<std::size_t> choose(Weights weights, std::span<const std::size_t> sizes,
                                  std::size_t budget) const;

 private:
  float worth(std::size_t record, const Weights& weights, std::size_t size) const;

  std::vector<std::string_view> records_;
  std::vector<std::vector<std::uint32_t>> slots_;  // of each record, each once
  Weights shared_;
};

}  // namespace smll::codec
