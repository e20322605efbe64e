// Looks for the opening after which held-back records cost least.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/coverage.h"
#include "codec/opening_costs.h"

namespace smll::codec {

// Of an opening.
struct OpeningLimits {
  std::size_t bytes = 0;
  std::size_t tokens = 0;
};

class OpeningSearch {
 public:
  // `pieces` are what an opening is made of, each with the line end behind it; `held_back` what it
  // is measured on. All must outlive this.
  OpeningSearch(OpeningCosts& costs, std::span<const std::string_view> pieces,
                const Coverage& coverage, std::span<const TokenizedRecord> held_back,
                const OpeningLimits& limits);

  // Tries openings until `tokens` tokens were fed, and at least one. The same for the same
  // arguments.
  void run(std::uint64_t tokens);

  // The best so far: its pieces in order, and their text.
  const std::vector<std::size_t>& chosen() const { return best_; }
  const std::string& text() const { return best_text_; }

 private:
  using Opening = std::vector<std::size_t>;  // pieces

  void propose_spread();
  void propose_shared();
  void propose_dear();
  void propose_changed();
  void try_opening(Opening opening);
  Opening filled(Opening opening, std::span<const std::size_t> order) const;
  bool is_left(std::uint64_t tokens) const { return costs_.fed() + tokens <= end_; }
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }

  OpeningCosts& costs_;
  const std::span<const std::string_view> pieces_;
  const Coverage& coverage_;
  const std::span<const TokenizedRecord> held_back_;
  const OpeningLimits limits_;
  std::vector<std::size_t> sizes_;
  std::uint64_t end_ = 0;      // tokens that may have been fed in all
  std::uint64_t each_;         // of the last trial
  std::mt19937_64 random_{1};  // the same for ever
  Opening best_;
  std::string best_text_;
  double best_bits_ = 0;
};

}  // namespace smll::codec
