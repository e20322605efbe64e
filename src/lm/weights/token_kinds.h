// What a GGUF file says that each token is, mended as llama.cpp mends it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lm/weights/gguf_file.h"

namespace smll::weights {

// A set of them.
using TokenKindBits = std::uint8_t;
enum : TokenKindBits {
  kUnknown = 1,
  kUnused = 2,
  kNormal = 4,
  kControl = 8,
  kAdded = 16,
  kByte = 32,
};

// Of each token. Tokens by which models are told that a turn or a file ends are control tokens,
// whatever the file says. Throws Error(kModel) where the file's list of types is too short.
std::vector<TokenKindBits> token_kinds(const GgufFile& file,
                                       const std::vector<std::string_view>& tokens);

}  // namespace smll::weights
