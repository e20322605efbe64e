// The model's tokens, sorted by their bytes, as a trie over ranges.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/token.h"

namespace smll::text {

// In the order in which tokenizers take them: added tokens before all others, byte tokens only
// where nothing else spells the text.
enum class TokenKind { kAdded, kNormal, kByte };

// One token as the model's file lists it.
struct VocabularyEntry {
  std::string bytes;   // what the token spells; empty for tokens that spell nothing
  bool coded = false;  // false for control, unused and unknown tokens, which never stand for text
  TokenKind kind = TokenKind::kNormal;
};

// The coded tokens in byte order ("rows"): row i's bytes are lexicographically below row i+1's, and
// no two rows spell the same bytes. Of tokens that do, the one is kept that tokenizers take, which
// is the one that the model knows from text: the first by kind, then by id. A node of the trie is
// the range of rows that start with the node's bytes.
class Vocabulary {
 public:
  static constexpr std::uint32_t kNoRow = 0xffffffffu;

  explicit Vocabulary(std::span<const VocabularyEntry> entries);

  std::size_t rows() const { return order_.size(); }
  // Token id of each row; the predictor gives its logits in this order.
  std::span<const Token> row_order() const { return order_; }
  Token token(std::uint32_t row) const { return order_[row]; }
  std::string_view bytes(std::uint32_t row) const {
    return {pool_.data() + offsets_[row], offsets_[row + 1] - offsets_[row]};
  }
  std::size_t longest() const { return longest_; }

  // Row that spells what token id `token` spells, or kNoRow.
  std::uint32_t row_of(Token token) const;
  // Longest row that is a prefix of `text`, or kNoRow when no row starts with its first byte.
  std::uint32_t longest_prefix(std::string_view text) const;
  // First row in [lo, hi) whose byte at `depth` is >= `byte`, all of them being longer than
  // `depth`.
  std::uint32_t lower_bound(std::uint32_t lo, std::uint32_t hi, std::size_t depth,
                            unsigned byte) const;

  // XXH3 hash of all token ids and bytes, part of the model's fingerprint.
  std::uint64_t hash() const { return hash_; }

 private:
  std::vector<Token> order_;
  std::vector<std::uint32_t> offsets_;  // rows() + 1 positions in pool_
  std::string pool_;
  std::vector<std::uint32_t> row_of_token_;
  std::vector<std::uint32_t> first_byte_;  // 257 row bounds by first byte
  std::size_t longest_ = 0;
  std::uint64_t hash_ = 0;
};

}  // namespace smll::text
