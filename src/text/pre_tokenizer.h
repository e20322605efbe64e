// Cuts text into words, inside of which byte pairs are merged: each model's tokenizer has a regular
// expression for it, or several that cut what the one before left.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace smll::text {

// What one pass takes as a word.
enum class Words : std::uint8_t {
  kGpt2,            // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  kCommon,          // most others' form of it, with the numbers and switches of WordRules
  kByCase,          // the same with words cut where capitals follow small letters
  kDeepSeek,        // punctuation sticks to ASCII letters
  kNumbers,         // \p{N}{1,digits}
  kThreeDigits,     // [0-9][0-9][0-9]
  kLine,            // [\r\n]
  kLines,           // [^\n]+|[\n]+
  kMarks,           // [\p{P}$+<=>^~|]+
  kMarksTicked,     // the same with `
  kSpacedLetter,    // \s?\p{L}+
  kSpacedListed,    // \s?[...]+ of the letters that DeepSeek LLM lists
  kSpacedMarks,     // \s?\p{P}+
  kSpacedSigns,     // \s?[!-/:-~...]+: ASCII and its full-width twins without digits
  kEndSpace,        // \s+$
  kIdeographs,      // [一-龥ࠀ-一가-퟿]+
  kIdeographsKana,  // [一-龥぀-ゟ゠-ヿ]+
  kUnparted,        // ' ?' and what is neither space nor one of some marks
};

struct WordRules {
  enum class Contractions : std::uint8_t { kNone, kBefore, kBehind };

  Words words = Words::kGpt2;
  std::size_t digits = 1;  // at most, of a number
  Contractions contractions = Contractions::kBefore;
  std::uint8_t letters = kLetter;  // categories of which words are made
  // What may follow a run of signs and belongs to it.
  std::string_view tail = "\r\n";
};

struct PreTokenizer {
  std::vector<std::string_view> names;  // as GGUF files spell them
  std::vector<WordRules> passes;
  bool byte_level = true;      // tokens spell bytes by stand-ins; else text, with U+2581 for spaces
  bool ignore_merges = false;  // a word that is a token is that token
  bool start_token = true;     // the model may have one without its file saying so
  bool whole_line_ends = false;  // a run of line ends that is a token is that token

  // Null where there is none of the name.
  static const PreTokenizer* find(std::string_view name);

  // The words of valid UTF-8, one after the other.
  std::vector<std::string_view> split(std::string_view text) const;
};

}  // namespace smll::text
