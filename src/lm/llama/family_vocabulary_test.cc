// Tokenizers of every family: any bytes come back, and what stands for text is the token that
// llama.cpp's tokenizer makes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lm/llama/llama_vocabulary.h"
#include "lm/test_models.h"

namespace smll::llama {
namespace {

class FamilyVocabulary : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string path = lm::family_model(GetParam());
    if (!std::filesystem::exists(path)) {
      GTEST_SKIP() << path << " is missing: run `make unit`, which generates it";
    }
    model_ = load_model(path, /*vocab_only=*/true);
    entries_ = read_vocabulary(*model_);
    vocabulary_ = std::make_unique<text::Vocabulary>(entries_);
    tokenizer_ = std::make_unique<text::Tokenizer>(*vocabulary_, raw_tokenizer(*model_));
  }

  std::string spell(const std::vector<text::Unit>& units) const {
    std::string text;
    for (const text::Unit& unit : units) {
      if (unit.escaped()) {
        text += static_cast<char>(unit.byte);
      } else {
        text += vocabulary_->bytes(unit.row);
      }
    }
    return text;
  }

  std::vector<Token> fed(const std::string& text) const {
    std::vector<Token> tokens;
    for (const text::Unit& unit : tokenizer_->tokenize(text)) {
      tokens.push_back(unit.escaped() ? -1 : vocabulary_->token(unit.row));
    }
    return tokens;
  }

  // As llama.cpp makes them behind a line end, where it puts no space in front.
  std::vector<Token> made(const std::string& text) const {
    const auto tokenize = [&](const std::string& what) {
      std::vector<Token> tokens(what.size() + 8);
      tokens.resize(static_cast<std::size_t>(llama_tokenize(
          llama_model_get_vocab(model_.get()), what.data(), static_cast<int>(what.size()),
          tokens.data(), static_cast<int>(tokens.size()), false, false)));
      return tokens;
    };
    std::vector<Token> tokens = tokenize("\n" + text);
    tokens.erase(tokens.begin(),
                 tokens.begin() + static_cast<std::ptrdiff_t>(tokenize("\n").size()));
    return tokens;
  }

  bool has(const std::string& token) const {
    return std::ranges::any_of(
        entries_, [&](const text::VocabularyEntry& e) { return e.coded && e.bytes == token; });
  }

  ModelHandle model_;
  std::vector<text::VocabularyEntry> entries_;
  std::unique_ptr<text::Vocabulary> vocabulary_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
};

// Texts that do not begin with a line end.
const std::vector<std::string> kTexts = {
    "the",
    " the",
    "  the",
    "   the   that \n   was\n\n\n\nnot\n\t\t\tx  \n",
    std::string("x") + std::string(100, '\n') + "y" + std::string(33, '\n'),
    "x" + std::string(3000, ' ') + "the" + std::string(33, ' ') + "\t",
    "a<bos>b <start_of_turn>user\n<end_of_turn><|im_start|> <|im_end|><|endoftext|> <unused3>",
    "[multimodal]",
    "<table></table> <think>a</think><tool_call> <s></s><unk><pad><mask> <0x41>",
    "que si en los das nicht \xc3\x9f \xd1\x87\xd1\x82\xd0\xbe",
    "\xd0\xbd\xd0\xb5 \xe7\x9a\x84\xe6\x98\xaf",
    "\xf0\x9f\x98\x80\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
    "\xd7\xa9\xd7\x9c e\xcc\x81 \xe2\x80\xae",
    std::string(2000, 'z'),
    std::string("\x01\x02\x7f\r\n\0x", 7)};

TEST_P(FamilyVocabulary, TheModelIsFedWhatTheTokenizerMakes) {
  for (const std::string& text : kTexts) {
    EXPECT_EQ(fed(text), made(text)) << text;
    EXPECT_EQ(spell(tokenizer_->tokenize(text)), text);
  }
}

TEST_P(FamilyVocabulary, AnyBytesComeBack) {
  std::mt19937 random(1);
  // Of these, the tokenizers' own stand-ins for spaces and line ends among them.
  const std::vector<std::string> parts = {" ",
                                          "  ",
                                          "\n",
                                          "\n\n",
                                          "\r\n",
                                          "\t",
                                          "the",
                                          " the",
                                          "\xe2\x96\x81",
                                          "\xc4\xa0",
                                          "\xc4\x8a",
                                          "<table>",
                                          "<bos>",
                                          "<|im_end|>",
                                          "<0x41>",
                                          "<think>",
                                          "\xf0\x9f\x98\x80",
                                          "\xe7\x9a\x84",
                                          "\xff",
                                          "\xe2\x96",
                                          "\xc3",
                                          "\xed\xa0\x80",
                                          "\xf4\x90\x80\x80",
                                          std::string(1, '\0')};
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (std::size_t n = random() % 40; n > 0; --n) text += parts[random() % parts.size()];
    EXPECT_EQ(spell(tokenizer_->tokenize(text)), text);
    for (char& c : text) c = static_cast<char>(random());
    EXPECT_EQ(spell(tokenizer_->tokenize(text)), text);
  }
}

TEST_P(FamilyVocabulary, EveryByteIsSpelled) {
  for (int byte = 0; byte < 256; ++byte) {
    for (const text::Unit& unit : tokenizer_->tokenize(std::string(1, static_cast<char>(byte)))) {
      EXPECT_FALSE(unit.escaped()) << byte;
    }
  }
}

TEST_P(FamilyVocabulary, ControlTokensAreNoText) {
  for (const char* control : {"<bos>", "<unused3>", "<start_of_turn>", "<s>", "<|im_start|>",
                              "<|endoftext|>", "<|end_of_text|>", "<unk>"}) {
    EXPECT_FALSE(has(control)) << control;
    EXPECT_GT(fed(control).size(), 1u) << control;
  }
}

// Where they are in the vocabulary, they are one token in any text.
TEST_P(FamilyVocabulary, AddedTokensAreText) {
  int found = 0;
  for (const std::string& added :
       {std::string("<table>"), std::string("[multimodal]"), std::string(31, '\n'),
        std::string(31, ' '), std::string("\t\t\t"), std::string("<think>"),
        std::string("<tool_call>")}) {
    if (!has(added)) continue;
    ++found;
    const std::vector<Token> tokens = fed("x" + added + "y");
    ASSERT_EQ(tokens.size(), 3u) << added;
    EXPECT_EQ(entries_[tokens[1]].kind, text::TokenKind::kAdded) << added;
    EXPECT_EQ(entries_[tokens[1]].bytes, added);
  }
  const bool has_added = std::ranges::any_of(
      entries_, [](const text::VocabularyEntry& e) { return e.kind == text::TokenKind::kAdded; });
  EXPECT_EQ(found > 0, has_added);
}

INSTANTIATE_TEST_SUITE_P(All, FamilyVocabulary, testing::ValuesIn(lm::kFamilies),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace smll::llama
