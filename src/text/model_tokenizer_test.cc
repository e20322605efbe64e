// What the tokenizers do by themselves; src/lm/llama/tokenizer_test.cc compares them with
// llama.cpp's.
#include "text/model_tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "text/byte_level.h"

namespace smll::text {
namespace {

// 256 bytes, then what is given.
struct Bytes {
  std::vector<std::string> texts, merges;  // what the tables show
  TokenizerTables tables;

  Bytes(const std::vector<std::string>& merged, std::vector<std::string> merges_in)
      : merges(std::move(merges_in)) {
    for (int byte = 0; byte < 256; ++byte) {
      texts.emplace_back(stand_in(static_cast<std::uint8_t>(byte)));
    }
    texts.insert(texts.end(), merged.begin(), merged.end());
    tables.tokens = {texts.begin(), texts.end()};
    tables.words = PreTokenizer::find("gpt-2");
    tables.merges = {merges.begin(), merges.end()};
  }
};

std::vector<Token> tokens_of(const TokenizerTables& tables, const std::string& text) {
  const Vocabulary none({});
  return model_tokenizer(none, [&] { return tables; })(text);
}

TEST(ModelTokenizer, MergesInOrderAndFromTheLeft) {
  const Bytes bytes({"aa", "aaa", "ab"}, {"a a", "aa a", "a b"});
  EXPECT_EQ(tokens_of(bytes.tables, "aaaa"), (std::vector<Token>{256, 256}));
  EXPECT_EQ(tokens_of(bytes.tables, "aaa"), (std::vector<Token>{257}));
  EXPECT_EQ(tokens_of(bytes.tables, "aab"), (std::vector<Token>{256, 'b'}));
  EXPECT_EQ(tokens_of(bytes.tables, "a a"), (std::vector<Token>{'a', ' ', 'a'}));
}

TEST(ModelTokenizer, AddedTokensComeFirstAndTheLongestOfThem) {
  Bytes bytes({"<x>", "<x>y"}, {});
  bytes.tables.added = {256, 257};
  EXPECT_EQ(tokens_of(bytes.tables, "a<x>y<x>"), (std::vector<Token>{'a', 257, 256}));
  EXPECT_EQ(tokens_of(bytes.tables, "x>"), (std::vector<Token>{'x', '>'}));
}

// Words without end: time and memory stay in proportion.
TEST(ModelTokenizer, LongRuns) {
  const Bytes bytes({"aa", "aaaa", "  ", "\n\n"}, {"a a", "aa aa"});
  for (const char c : {'a', ' ', '\n', '7', '\'', '!'}) {
    const std::string text(100'000, c);
    std::size_t spelled = 0;
    for (const Token token : tokens_of(bytes.tables, text)) {
      spelled += token == 257 ? 4 : token == 256 ? 2 : 1;
    }
    EXPECT_EQ(spelled, text.size()) << c;
  }
}

TEST(ModelTokenizer, SentencePieceJoinsTheBestFirst) {
  const std::vector<std::string> texts = {"a", "b", "ab", "ba", "<0x63>", "\u2581"};
  TokenizerTables tables;
  tables.tokens = {texts.begin(), texts.end()};
  tables.scores = {0, 0, -2, -1, 0, 0};
  EXPECT_EQ(tokens_of(tables, "aba"), (std::vector<Token>{0, 3}));
  EXPECT_EQ(tokens_of(tables, "abab"), (std::vector<Token>{0, 3, 1}));
  EXPECT_EQ(tokens_of(tables, "c d"), (std::vector<Token>{4, 5, -1}));
  EXPECT_EQ(tokens_of(tables, std::string(100'000, 'a')).size(), 100'000u);
}

TEST(ModelTokenizer, TablesAreMadeForTheFirstText) {
  const Bytes bytes({}, {});
  const Vocabulary none({});
  int made = 0;
  const auto tokenize = model_tokenizer(none, [&] {
    ++made;
    return bytes.tables;
  });
  EXPECT_EQ(made, 0);
  tokenize("a");
  tokenize("b");
  EXPECT_EQ(made, 1);
}

}  // namespace
}  // namespace smll::text
