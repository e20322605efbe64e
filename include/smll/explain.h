// What each token of a text costs, and what each expert thinks of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "smll/export.h"
#include "smll/smll.h"

namespace smll {

struct Guess {
  std::string bytes;       // of the token
  double probability = 0;  // that the language model gives it
};

// One token or, where no token spells it, one byte. A cost of b bits stands for a probability of
// 2^-b.
struct TokenCost {
  std::string bytes;
  double bits = 0;             // with all experts, as archives are coded
  double model_bits = 0;       // with the language model alone
  double context_bits = 0;     // with the context models alone
  std::uint32_t rank = 0;      // among the model's guesses, from 1; 0 for a byte without a token
  std::vector<Guess> guesses;  // the model's likeliest, best first
};

// The costs of a text in one context, as a frame of one lane is coded: it begins with what the
// model's dictionary knows, or with nothing. Context models alone have no dictionary.
// `guesses` is how many to keep of each token. `progress` is told nothing, but may throw to cancel.
// Throws Error(kData) above kMaxExplained bytes, Error(kModel).
SMLL_API std::vector<TokenCost> explain(const Model& model, ByteView text, std::size_t guesses = 5,
                                        const Progress& progress = {});

inline constexpr std::size_t kMaxExplained = std::size_t{1} << 20;

// Costs of a whole text in bits.
struct Ablation {
  struct Without {
    std::string expert;
    double bits = 0;
  };
  double bits = 0;               // with all experts
  std::vector<Without> without;  // with one of them left out
};

// What each of the experts that are mixed with the language model is worth. One that is left out
// had no part in reading the model's dictionary either: its sample is read once for each, some
// seconds for 128 KB. `progress` and what it throws: as explain().
SMLL_API Ablation ablate(const Model& model, ByteView text, const Progress& progress = {});

}  // namespace smll
