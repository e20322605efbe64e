// Generated vocabularies of each kind: the model is fed what llama.cpp's tokenizer makes.
#include "lm/llama/llama_vocabulary.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "codec/loaded_model.h"
#include "lm/weights/gguf_tiny.h"

namespace smll::llama {
namespace {

constexpr const char* kSpace = "\xe2\x96\x81";  // SentencePiece's stand-in for a space
const std::string kText =
    "The cat, the hat and 42 more things.\n  Two spaces  before\tthat; \xc3\xa9t\xc3\xa9 "
    "\xe2\x82\xac!\n\nthe end";

class TestVocabulary {
 public:
  explicit TestVocabulary(const char* tokenizer) { text_.tokenizer = tokenizer; }

  void add(const std::string& token, llama_token_type type) {
    if (!known_.insert(token).second) return;
    text_.tokens.push_back(token);
    text_.types.push_back(type);
    text_.scores.push_back(-static_cast<float>(text_.tokens.size()));
  }
  void add_specials() {
    add("<unk>", LLAMA_TOKEN_TYPE_UNKNOWN);
    add("<s>", LLAMA_TOKEN_TYPE_CONTROL);
    add("</s>", LLAMA_TOKEN_TYPE_CONTROL);
  }
  void add_bytes() {
    for (int byte = 0; byte < 256; ++byte) {
      add(fmt::format("<0x{:02X}>", byte), LLAMA_TOKEN_TYPE_BYTE);
    }
  }
  // Each with all of its beginnings, from which SentencePiece puts it together.
  void add_words() {
    for (const std::string word : {"the", "The", "cat", "hat", "and", "thing", "more"}) {
      for (const std::string& piece : {word, kSpace + word}) {
        const std::size_t first = piece == word ? 1 : 3;
        for (std::size_t end = first; end <= piece.size(); ++end) {
          add(piece.substr(0, end), LLAMA_TOKEN_TYPE_NORMAL);
        }
      }
    }
    for (char c = '!'; c <= '~'; ++c) add(std::string(1, c), LLAMA_TOKEN_TYPE_NORMAL);
  }
  weights::TinyVocabulary take(bool space_prefix) {
    text_.space_prefix = space_prefix;
    return std::move(text_);
  }

 private:
  std::set<std::string> known_;
  weights::TinyVocabulary text_;
};

weights::TinyVocabulary sentence_piece(bool bytes_first, bool space_prefix) {
  TestVocabulary vocabulary("llama");
  vocabulary.add_specials();
  if (bytes_first) vocabulary.add_bytes();
  if (!bytes_first) vocabulary.add("\n", LLAMA_TOKEN_TYPE_NORMAL);
  vocabulary.add_words();
  if (!bytes_first) {
    vocabulary.add(std::string(kSpace) + kSpace, LLAMA_TOKEN_TYPE_NORMAL);
    vocabulary.add_bytes();
  }
  return vocabulary.take(space_prefix);
}

// Token ids of `text` as smll feeds them, and as llama.cpp makes them behind a line end, where it
// puts no space in front.
void compare(const weights::TinyVocabulary& vocabulary, const std::string& text) {
  weights::TinyOptions options;
  options.text = vocabulary;
  const weights::TinyModel file(options);
  const auto model = codec::LoadedModel::load(file.path(), {});
  std::vector<Token> fed;
  for (const text::Unit& unit : model->tokenizer().tokenize(text)) {
    ASSERT_FALSE(unit.escaped());
    fed.push_back(model->vocabulary().token(unit.row));
  }
  const ModelHandle handle = load_model(file.path(), /*vocab_only=*/true);
  const llama_vocab* vocab = llama_model_get_vocab(handle.get());
  const auto tokenize = [&](const std::string& what) {
    std::vector<Token> tokens(what.size() + 8);
    tokens.resize(static_cast<std::size_t>(
        llama_tokenize(vocab, what.data(), static_cast<int>(what.size()), tokens.data(),
                       static_cast<int>(tokens.size()), false, false)));
    return tokens;
  };
  std::vector<Token> expected = tokenize("\n" + text);
  expected.erase(expected.begin(), expected.begin() + tokenize("\n").size());
  EXPECT_EQ(fed, expected) << text;
}

TEST(LlamaVocabulary, TheModelIsFedWhatTheTokenizerMakes) {
  for (const bool bytes_first : {true, false}) {
    for (const bool space_prefix : {true, false}) {
      const weights::TinyVocabulary vocabulary = sentence_piece(bytes_first, space_prefix);
      compare(vocabulary, kText);
      compare(vocabulary, " the cat and the hat");
      compare(vocabulary, "   the cat");
    }
  }
}

TEST(LlamaVocabulary, AddedTokensStandForWhatTheySpell) {
  TestVocabulary vocabulary("llama");
  vocabulary.add_specials();
  vocabulary.add_bytes();
  vocabulary.add_words();
  vocabulary.add(std::string(kSpace) + kSpace, LLAMA_TOKEN_TYPE_NORMAL);
  vocabulary.add("  ", LLAMA_TOKEN_TYPE_USER_DEFINED);
  compare(vocabulary.take(false), kText);
}

TEST(LlamaVocabulary, ModelsOfOneFileShareIt) {
  weights::TinyOptions options;
  options.text = sentence_piece(true, true);
  const weights::TinyModel file(options);
  codec::LoadOptions narrow, wide;
  narrow.window = 64;
  wide.window = 128;
  const auto a = codec::LoadedModel::load(file.path(), narrow);
  const auto b = codec::LoadedModel::load(file.path(), wide);
  EXPECT_EQ(&a->vocabulary(), &b->vocabulary());
  EXPECT_EQ(a->fingerprint(), b->fingerprint());
  options.seed = 2;
  weights::TinyWriter(options).write(file.path());
  const auto c = codec::LoadedModel::load(file.path(), narrow);
  EXPECT_NE(&a->vocabulary(), &c->vocabulary()) << "the file was written over";
  EXPECT_NE(a->fingerprint(), c->fingerprint());
}

}  // namespace
}  // namespace smll::llama
