#include <gtest/gtest.h>

#include <random>

#include "smll/printable.h"
#include "text/tokenizer.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace smll::text {
namespace {

std::vector<VocabularyEntry> entries() {
  return {{"<s>", false}, {"b", true}, {"a", true},    {"ab", true}, {"abc", true},
          {"a", true},    {"", true},  {"\xff", true}, {"c ", true}, {"\n", true}};
}

std::string spell(const Vocabulary& vocabulary, const std::vector<Unit>& units) {
  std::string text;
  for (const Unit& unit : units) {
    if (unit.escaped()) {
      text += static_cast<char>(unit.byte);
    } else {
      text += vocabulary.bytes(unit.row);
    }
  }
  return text;
}

TEST(Vocabulary, RowsAreTheCodedTokensInByteOrder) {
  const Vocabulary vocabulary(entries());
  ASSERT_EQ(vocabulary.rows(), 7u);
  for (std::uint32_t row = 1; row < vocabulary.rows(); ++row) {
    EXPECT_LT(vocabulary.bytes(row - 1), vocabulary.bytes(row));
  }
  EXPECT_EQ(vocabulary.bytes(6), "\xff") << "bytes compare unsigned";
  EXPECT_EQ(vocabulary.row_of(0), Vocabulary::kNoRow) << "a control token is no text";
  EXPECT_EQ(vocabulary.row_of(6), Vocabulary::kNoRow) << "an empty token spells nothing";
  EXPECT_EQ(vocabulary.row_of(-1), Vocabulary::kNoRow);
  EXPECT_EQ(vocabulary.row_of(99), Vocabulary::kNoRow);
}

TEST(Vocabulary, EqualSpellingsShareARow) {
  const Vocabulary vocabulary(entries());
  EXPECT_EQ(vocabulary.row_of(2), vocabulary.row_of(5));
  EXPECT_EQ(vocabulary.token(vocabulary.row_of(5)), 2) << "the lowest id stands for both";
}

TEST(Vocabulary, OfEqualSpellingsTheOneThatTokenizersTakeIsKept) {
  using enum TokenKind;
  const Vocabulary vocabulary(std::vector<VocabularyEntry>{{"a", true, kByte},
                                                           {"b", true, kByte},
                                                           {"a", true, kNormal},
                                                           {"\n", true, kNormal},
                                                           {"\n", true, kByte},
                                                           {"  ", true, kNormal},
                                                           {"  ", true, kAdded}});
  ASSERT_EQ(vocabulary.rows(), 4u);
  EXPECT_EQ(vocabulary.token(vocabulary.row_of(0)), 2) << "an id above the byte token's";
  EXPECT_EQ(vocabulary.token(vocabulary.row_of(4)), 3) << "an id below it";
  EXPECT_EQ(vocabulary.token(vocabulary.row_of(1)), 1) << "nothing else spells it";
  EXPECT_EQ(vocabulary.token(vocabulary.row_of(5)), 6) << "added tokens come first";
}

TEST(Vocabulary, LongestPrefix) {
  const Vocabulary vocabulary(entries());
  EXPECT_EQ(vocabulary.bytes(vocabulary.longest_prefix("abcd")), "abc");
  EXPECT_EQ(vocabulary.bytes(vocabulary.longest_prefix("abd")), "ab");
  EXPECT_EQ(vocabulary.bytes(vocabulary.longest_prefix("\xff\xff")), "\xff");
  EXPECT_EQ(vocabulary.longest_prefix("x"), Vocabulary::kNoRow);
  EXPECT_EQ(vocabulary.longest_prefix("c"), Vocabulary::kNoRow) << "only 'c ' is a token";
  EXPECT_EQ(vocabulary.longest_prefix(""), Vocabulary::kNoRow);
}

TEST(Vocabulary, HashTellsVocabulariesApart) {
  auto other = entries();
  other[3].bytes = "aa";
  EXPECT_NE(Vocabulary(entries()).hash(), Vocabulary(other).hash());
  EXPECT_EQ(Vocabulary(entries()).hash(), Vocabulary(entries()).hash());
}

TEST(Tokenizer, AnyBytesAreSpelledWhateverTheRawTokenizerSays) {
  const Vocabulary vocabulary(entries());
  std::mt19937 rng(1);
  const Tokenizer liar(vocabulary, [&](std::string_view) {
    return std::vector<Token>(rng() % 4, static_cast<Token>(rng() % 12));
  });
  for (int round = 0; round < 300; ++round) {
    std::string text(rng() % 200, '\0');
    for (char& c : text) c = "abc \n\xff\0x"[rng() % 8];
    EXPECT_EQ(spell(vocabulary, liar.tokenize(text)), text);
  }
}

TEST(Tokenizer, KeepsTheRawTokensWhereTheySpellTheText) {
  const Vocabulary vocabulary(entries());
  const Tokenizer tokenizer(vocabulary, [](std::string_view) { return std::vector<Token>{2, 1}; });
  const std::vector<Unit> units = tokenizer.tokenize("ab");
  ASSERT_EQ(units.size(), 2u) << "a, b as the tokenizer said, not the longest token ab";
  EXPECT_EQ(spell(vocabulary, units), "ab");
}

TEST(Tokenizer, RawTokenizersSeeValidUtf8Only) {
  const Vocabulary vocabulary(entries());
  std::string seen;
  const Tokenizer tokenizer(vocabulary, [&](std::string_view piece) {
    EXPECT_EQ(utf8_prefix(piece), piece.size());
    seen += piece;
    return std::vector<Token>{};
  });
  // A code point above U+10FFFF, at which llama.cpp's tokenizer throws, and a cut sequence.
  const std::string text =
      "ab\xf6\x9e\x91\x9b"
      "c \xe2\x82\xac\xe2\x82";
  EXPECT_EQ(spell(vocabulary, tokenizer.tokenize(text)), text);
  EXPECT_EQ(seen, "abc \xe2\x82\xac");
}

TEST(Utf8, TakesWhatRfc3629Allows) {
  for (const char* valid : {"a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(utf8_length(valid), std::string_view(valid).size());
  }
  for (const char* invalid :
       {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf6\x9e\x91\x9b", "\xe2\x82", "\xff"}) {
    EXPECT_EQ(utf8_length(invalid), 0u);
  }
}

TEST(Tokenizer, CutsLongTextsIntoBoundedPieces) {
  const Vocabulary vocabulary(entries());
  std::size_t longest = 0;
  const Tokenizer tokenizer(vocabulary, [&](std::string_view piece) {
    longest = std::max(longest, piece.size());
    return std::vector<Token>{};
  });
  for (const char c : {'a', ' ', '\n', '\x80'}) {
    const std::string text(100000, c);
    EXPECT_EQ(spell(vocabulary, tokenizer.tokenize(text)), text);
  }
  EXPECT_LE(longest, 8192u);
}

// Where no line was spelled, all that followed in a piece was given to the raw tokenizer line after
// line.
TEST(Tokenizer, RawTokenizersSeeTextThatTheyDoNotSpellAFewTimes) {
  const Vocabulary vocabulary(entries());
  for (const std::string line : {"x\n", "x\nab\n", "ab\nab\nab\nx\n", "x\n\n\n", "\n"}) {
    std::string text;
    while (text.size() < 30000) text += line;
    std::size_t seen = 0;
    const Tokenizer tokenizer(vocabulary, [&](std::string_view piece) {
      seen += piece.size();
      std::vector<Token> tokens;
      if (piece[0] == '\n') return tokens;
      for (const char c : piece.substr(0, piece.find('x'))) {
        tokens.push_back(c == 'a' ? 2 : c == 'b' ? 1 : 9);
      }
      return tokens;
    });
    EXPECT_EQ(spell(vocabulary, tokenizer.tokenize(text)), text);
    EXPECT_LE(seen, 6 * text.size()) << line;
  }
}

TEST(Printable, KeepsTextAndMasksWhatATerminalObeys) {
  EXPECT_EQ(printable(""), "");
  for (const char* kept : {"plain ~ text", "caf\xc3\xa9", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
                           "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", "\xc2\xa0"}) {
    EXPECT_EQ(printable(kept), kept);
  }
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a?b");
  EXPECT_EQ(printable("\x1b[31m\r\n\t\x7f"), "?[31m????");
  EXPECT_EQ(printable("\xc2\x80 \xc2\x9b \xc2\x9f"), "? ? ?");              // C1
  EXPECT_EQ(printable("\xe2\x80\xae \xe2\x81\xa6 \xe2\x80\xa8"), "? ? ?");  // U+202E ...
  EXPECT_EQ(printable("\xff \x9b"
                      "1m \xc3( \xed\xa0\x80 \xe2\x82"),
            "? ?1m ?( ??? ??");  // no UTF-8
}

}  // namespace
}  // namespace smll::text
