// Encodes a short text of one lane with the language model's probabilities.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codec/model_coder.h"
#include "codec/progress.h"
#include "codec/short_head.h"
#include "lm/token_walk.h"

namespace smll::codec {

// A text's units, and the model's probabilities along those that are tokens. Where the text has no
// line break and one is a token, it stands behind the text.
struct ShortText {
  std::size_t bytes = 0;  // without the break
  std::vector<text::Unit> units;
  std::span<const lm::RecordedPath> paths;
  bool has_break = false;
  bool escapes = false;
};

// The payload: head and code. `opening`: what the text begins with; null: nothing.
std::vector<std::uint8_t> encode_short(const ShortText& text, const ShortHeadOdds& odds,
                                       const ShortHead& head, const Opening* opening,
                                       const text::Vocabulary& vocabulary,
                                       const Progress& progress);

}  // namespace smll::codec
