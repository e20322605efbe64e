// SentencePiece: the characters of a text are joined two by two into tokens, those with the highest
// score first.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/text_index.h"
#include "text/token.h"

namespace smll::text {

// `text` with U+2581 for each space.
std::string with_visible_spaces(std::string_view text);

class SentencePiece {
 public:
  // The text of each token, all of them different, and its score, which is a number. The texts must
  // outlive it.
  SentencePiece(std::span<const std::string_view> tokens, std::vector<float> scores);

  // The tokens of `text`, valid UTF-8, in which U+2581 stands for spaces. A character that is no
  // token is spelled byte by byte; -1 stands for a byte that no token spells.
  void append(std::string_view text, std::vector<Token>& out) const;

 private:
  class Pieces;

  TextIndex tokens_;
  std::vector<float> scores_;
  std::size_t longest_ = 0;
  std::array<Token, 256> byte_token_{};
};

}  // namespace smll::text
