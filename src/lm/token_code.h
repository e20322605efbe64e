// A code whose tokens a predictor decodes itself, since it holds the distributions elsewhere: then
// tokens come back, not distributions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "coder/range_coder.h"

namespace smll::lm {

class TokenCode {
 public:
  virtual ~TokenCode() = default;
  // Behind the tokens that were decoded so far.
  virtual coder::Decoder::State state() const = 0;
};

// A lane's next token.
struct CodedToken {
  TokenCode* code = nullptr;
  std::size_t room = 0;  // bytes left in the lane, at least 1
  // Where its row goes, or text::Vocabulary::kNoRow where the code names none that fits. Whoever
  // gets it has to see whether it fits the room.
  std::uint32_t* row = nullptr;
};

}  // namespace smll::lm
