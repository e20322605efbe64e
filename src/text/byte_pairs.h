// Byte-pair encoding: the parts of a word are merged two by two, those first that the model's list
// of merges names first.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/pre_tokenizer.h"
#include "text/text_index.h"
#include "text/token.h"

namespace smll::text {

class BytePairs {
 public:
  // `tokens`: the text of each, all of them different; they must outlive it. `merges`: "LEFT
  // RIGHT", the one that goes first first.
  BytePairs(const PreTokenizer& words, std::span<const std::string_view> tokens,
            std::span<const std::string_view> merges);

  // The tokens of `text`, valid UTF-8. Bytes that no token spells are left out.
  void append(std::string_view text, std::vector<Token>& out) const;

 private:
  // A text that is a token or a part of one: the number of its text.
  using Part = std::uint32_t;
  struct Merge {
    std::uint64_t pair = ~std::uint64_t{0};  // of parts, the left one high
    std::uint32_t rank = 0;
    Part joined = 0;
  };
  class Word;

  Part part_of(std::string text);
  void add_merge(std::string_view merge, std::uint32_t rank);
  // Null where the list has none of the two.
  const Merge* merge_of(Part left, Part right) const;
  std::size_t slot_of(std::uint64_t pair) const;
  void append_word(std::string_view word, Word& parts, std::vector<Token>& out) const;
  void append_bytes(std::string_view spelled, std::vector<Token>& out) const;

  const PreTokenizer& words_;
  std::size_t tokens_;
  std::deque<std::string> others_;       // texts of parts that are no tokens
  TextIndex parts_;                      // tokens first
  std::vector<Merge> merges_;            // a hash table, at most half full
  std::array<Part, 256> of_byte_{};      // byte-level: its stand-in
  std::array<Token, 256> byte_token_{};  // what spells a byte of a part that is no token; -1: none
};

}  // namespace smll::text
