// Text to tokens that spell exactly that text.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "text/token.h"
#include "text/vocabulary.h"

namespace smll::text {

// A unit of coded text: a row of the vocabulary or, where no token spells it, a single byte.
struct Unit {
  std::uint32_t row = Vocabulary::kNoRow;  // kNoRow: `byte` is escaped
  std::uint8_t byte = 0;
  bool escaped() const { return row == Vocabulary::kNoRow; }
};

// Wraps a model's own tokenizer, which may strip spaces or normalize: whatever it returns is
// checked against the bytes, and text that it does not spell exactly is cut into the longest tokens
// that do. So is what is not UTF-8, which raw tokenizers never see: some throw at it.
class Tokenizer {
 public:
  // Token ids for `text` (valid UTF-8); may be lossy.
  using Raw = std::function<std::vector<Token>(std::string_view text)>;

  Tokenizer(const Vocabulary& vocabulary, Raw raw);

  // Units that spell `text` byte for byte. Long texts are given to the raw tokenizer in pieces cut
  // at line ends or spaces, so that its time stays proportional to the length.
  std::vector<Unit> tokenize(std::string_view text) const;

 private:
  void append_piece(std::string_view piece, std::vector<Unit>& out) const;
  void append_valid(std::string_view piece, std::vector<Unit>& out) const;
  // Bytes at the start of `piece` that the raw tokenizer's tokens spell.
  std::size_t append_spelled(std::string_view piece, std::vector<Unit>& out) const;
  void append_longest(std::string_view piece, std::vector<Unit>& out) const;

  const Vocabulary& vocabulary_;
  Raw raw_;
};

}  // namespace smll::text
