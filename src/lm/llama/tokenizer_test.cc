// Tokenizers and vocabularies against llama.cpp's: models must be fed the same tokens, and archives
// know a model by what its tokens spell.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "lm/llama/llama_vocabulary.h"
#include "lm/test_models.h"
#include "lm/weights/gguf_tiny.h"
#include "lm/weights/gguf_vocabulary.h"
#include "smll/error.h"
#include "text/byte_level.h"
#include "text/model_tokenizer.h"

namespace smll::llama {
namespace {

std::string utf8(char32_t point) {
  const auto byte = [](char32_t bits) { return static_cast<char>(bits); };
  const auto rest = [&](int shift) { return byte(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xc0 | point >> 6), rest(0)};
  if (point < 0x10000) return {byte(0xe0 | point >> 12), rest(6), rest(0)};
  return {byte(0xf0 | point >> 18), rest(12), rest(6), rest(0)};
}

// What pre-tokenizers treat in ways of their own, in many scripts.
const std::vector<std::string> kParts = {"the",
                                         "The",
                                         "THE",
                                         "cat",
                                         "x",
                                         "s",
                                         "T",
                                         "e",
                                         "'s",
                                         "'S",
                                         "'t",
                                         "'T",
                                         "'re",
                                         "'Re",
                                         "'rE",
                                         "'ve",
                                         "'VE",
                                         "'m",
                                         "'M",
                                         "'ll",
                                         "'lL",
                                         "'d",
                                         "'D",
                                         "'",
                                         "''",
                                         "\"",
                                         "`",
                                         "$",
                                         "+",
                                         "<=>",
                                         "^",
                                         "~",
                                         "|",
                                         "/",
                                         "//",
                                         "\\",
                                         "_",
                                         "-",
                                         ".",
                                         ",",
                                         "...",
                                         "!",
                                         "?",
                                         "(",
                                         ")",
                                         "[",
                                         "]",
                                         "{}",
                                         "#",
                                         "@",
                                         "%",
                                         "&",
                                         "*",
                                         ":",
                                         ";",
                                         "0",
                                         "1",
                                         "12",
                                         "123",
                                         "1234",
                                         "12345",
                                         "1234567",
                                         "\u0663",
                                         "\u0967\u0968\u0969",
                                         "\u00b2",
                                         "\u2167",
                                         " ",
                                         "  ",
                                         "   ",
                                         "     ",
                                         "\n",
                                         "\n\n",
                                         "\n\n\n",
                                         "\r\n",
                                         "\r",
                                         "\t",
                                         "\t\t",
                                         " \n",
                                         "\n ",
                                         "\v",
                                         "\f",
                                         "\u0085",
                                         "\u00a0",
                                         "\u3000",
                                         "\u2028",
                                         "\u200b",
                                         "\u200d",
                                         "\u00ad",
                                         "\ufeff",
                                         std::string(1, '\0'),
                                         "\x01",
                                         "\x1c",
                                         "\x7f",
                                         "\u00e9",
                                         "\u00c9",
                                         "e\u0301",
                                         "\u0301",
                                         "\u00df",
                                         "\u0130",
                                         "\u017f",
                                         "\u01c5",
                                         "\u02b0",
                                         "\u0416",
                                         "\u0436\u0443\u043a",
                                         "\u03a9\u03bc\u03ad\u03b3\u03b1",
                                         "\u05e9\u05dc\u05d5\u05dd",
                                         "\u0645\u0631\u062d\u0628\u0627",
                                         "\u0939\u093f\u0928\u094d\u0926\u0940",
                                         "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
                                         "\u4e2d\u6587",
                                         "\u9fa5",
                                         "\u9fa6",
                                         "\u3042\u30ab",
                                         "\u30fc",
                                         "\uac00\ud7a3",
                                         "\u1100",
                                         "\u3002",
                                         "\uff0c",
                                         "\uff01",
                                         "\uff11",
                                         "\uff21",
                                         "\u2018",
                                         "\u2026",
                                         "\u20ac",
                                         "\u00a7",
                                         "\u00bf",
                                         "\u2200",
                                         "\u0964",
                                         "\u06d4",
                                         "\u060c",
                                         "\u2581",
                                         "\u0120",
                                         "\u010a",
                                         "\U0001f600",
                                         "\U0001f469\u200d\U0001f467",
                                         "\U0001f1e9\U0001f1ea",
                                         "\U00010400",
                                         "\U0001d7d8",
                                         "\U00020000",
                                         "\U0010ffff",
                                         "\ue000",
                                         "\u0378",
                                         "AbCdE",
                                         "camelCase",
                                         "HTMLParser",
                                         "\u00c9cole",
                                         "a\u00c9b\u00c9C",
                                         "the hat and the cat",
                                         "<table>",
                                         "<s>",
                                         "<bos>",
                                         "<|im_end|>",
                                         "<0x41>",
                                         "[multimodal]",
                                         "<think>",
                                         "<|endoftext|>"};

std::string random_text(std::mt19937& random, std::size_t parts) {
  std::string text;
  for (; parts > 0; --parts) text += kParts[random() % kParts.size()];
  return text;
}

std::string random_points(std::mt19937& random, std::size_t count) {
  std::string text;
  while (count > 0) {
    const char32_t point = random() % (random() % 2 ? 0x110000 : random() % 2 ? 0x3000 : 0x300);
    if (point >= 0xd800 && point < 0xe000) continue;
    text += utf8(point);
    --count;
  }
  return text;
}

// One file read by smll and by llama.cpp.
class Pair {
 public:
  explicit Pair(const std::string& path) : file_(path), model_(load_model(path, true)) {
    ours_ = weights::read_vocabulary(file_);
    theirs_ = read_vocabulary(*model_);
    vocabulary_ = std::make_unique<text::Vocabulary>(ours_.entries);
    our_raw_ = text::model_tokenizer(*vocabulary_, ours_.tables);
    their_raw_ = raw_tokenizer(*model_);
  }

  void expect_same_vocabulary() const {
    ASSERT_EQ(ours_.entries.size(), theirs_.size());
    for (std::size_t id = 0; id < theirs_.size(); ++id) {
      ASSERT_EQ(ours_.entries[id].coded, theirs_[id].coded) << id << " " << theirs_[id].bytes;
      ASSERT_EQ(ours_.entries[id].bytes, theirs_[id].bytes) << id;
      if (!theirs_[id].coded) continue;
      ASSERT_EQ(ours_.entries[id].kind, theirs_[id].kind) << id;
    }
    EXPECT_EQ(ours_.start_token, start_token(*model_));
  }

  // Valid UTF-8, as raw tokenizers are given it.
  void expect_same_tokens(const std::string& text) const {
    const std::vector<Token> ours = our_raw_(text), theirs = their_raw_(text);
    if (ours == theirs) return;
    const auto at = static_cast<std::size_t>(
        std::mismatch(ours.begin(), ours.end(), theirs.begin(), theirs.end()).first - ours.begin());
    std::string before;
    for (std::size_t i = at > 5 ? at - 5 : 0; i < at; ++i) before += ours_.entries[ours[i]].bytes;
    ADD_FAILURE() << "token " << at << " behind '" << before << "': " << shown(ours, at) << " for "
                  << shown(theirs, at) << " in " << text.substr(0, 300);
  }

  // Any bytes, as the wrapper passes them on.
  void expect_same_units(const std::string& text) const {
    const text::Tokenizer ours(*vocabulary_, our_raw_), theirs(*vocabulary_, their_raw_);
    const auto a = ours.tokenize(text), b = theirs.tokenize(text);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].row, b[i].row) << i;
      ASSERT_EQ(a[i].byte, b[i].byte) << i;
    }
  }

  void expect_all_same() const {
    expect_same_vocabulary();
    std::mt19937 random(1);
    for (int i = 0; i < 60; ++i) expect_same_tokens(random_text(random, 1 + random() % 40));
    for (int i = 0; i < 30; ++i) expect_same_tokens(random_points(random, 1 + random() % 60));
    for (const std::string& part : kParts) {
      expect_same_tokens(part);
      expect_same_tokens("a " + part + " a" + part + "\n" + part + part + "1" + part + "!" + part);
    }
    for (const std::string run : {"a", "A", " ", "\n", "7", "!", "\t", "\u00e9", "\u4e2d", "ab ",
                                  "1 ", " \n", "'s", "\u0301", "\U0001f600"}) {
      std::string text;
      while (text.size() < 700) text += run;
      expect_same_tokens(text);
      expect_same_tokens("x" + text + "x");
    }
    for (int i = 0; i < 30; ++i) {
      std::string text = random_text(random, 40);
      for (int damaged = 0; damaged < 10; ++damaged) {
        text[random() % text.size()] = static_cast<char>(random());
      }
      expect_same_units(text);
      for (char& c : text) c = static_cast<char>(random());
      expect_same_units(text);
    }
  }

 private:
  std::string shown(const std::vector<Token>& tokens, std::size_t at) const {
    return at < tokens.size() && tokens[at] >= 0
               ? fmt::format("{} '{}'", tokens[at], ours_.entries[tokens[at]].bytes)
               : "nothing";
  }

  weights::GgufFile file_;
  ModelHandle model_;
  weights::GgufVocabulary ours_;
  std::vector<text::VocabularyEntry> theirs_;
  std::unique_ptr<text::Vocabulary> vocabulary_;
  text::Tokenizer::Raw our_raw_, their_raw_;
};

// Byte pairs that show where words end: letters, digits, signs and spaces merge with the first and
// the last byte of every character, before all else.
weights::TinyVocabulary showing_words(const std::string& words) {
  weights::TinyVocabulary vocabulary;
  vocabulary.tokenizer = "gpt2";
  vocabulary.words = words;
  const auto add = [&](const std::string& token, int type) {
    vocabulary.tokens.push_back(token);
    vocabulary.types.push_back(type);
  };
  const auto spelled = [](const std::string& text) { return text::in_stand_ins(text); };
  const auto merge = [&](const std::string& left, const std::string& right) {
    const std::string joined = spelled(left + right);
    if (std::find(vocabulary.tokens.begin() + 256, vocabulary.tokens.end(), joined) !=
        vocabulary.tokens.end())
      return;
    add(joined, 1);
    vocabulary.merges.push_back(spelled(left) + " " + spelled(right));
  };
  const auto byte = [](int value) { return std::string(1, static_cast<char>(value)); };
  for (int value = 0; value < 256; ++value) add(spelled(byte(value)), 1);
  const std::string ascii = "aAst1!'/$` \n\r\t";
  for (const char a : ascii) {
    for (const char b : ascii) merge(std::string(1, a), std::string(1, b));
    for (int lead = 0xc2; lead < 0xf5; ++lead) merge(std::string(1, a), byte(lead));
    for (int last = 0x80; last < 0xc0; ++last) merge(byte(last), std::string(1, a));
  }
  for (const std::string pair : {"aa", "11", "  ", "\n\n", "!!"}) merge(pair, pair);
  for (const std::string token : {"<|endoftext|>", "<s>"}) add(token, 3);
  for (const std::string token : {"<think>", "<table>", "  \n"}) add(token, 4);
  return vocabulary;
}

// Names by the way in which they cut, one way a line.
const std::vector<std::vector<std::string>> kWords = {
    {"default"},
    {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
     "jina-v5-nano", "dbrx", "smaug-bpe", "glm4", "glm5", "chatglm-bpe"},
    {"minicpm5"},
    {"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "megrez", "hunyuan",
     "solar-open", "grok-2", "bailingmoe", "bailingmoe2", "llada-moe"},
    {"laguna"},
    {"qwen35"},
    {"seed-coder"},
    {"ufakzeka"},
    {"gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0",
     "mellum", "modern-bert", "jina-v1-en", "jina-v2-code", "roberta-bpe", "mpt", "olmo", "jais",
     "trillion", "granite-docling", "exaone4"},
    {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
    {"falcon"},
    {"deepseek-llm"},
    {"deepseek-coder"},
    {"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"},
    {"tekken"},
    {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"},
    {"bloom", "poro-chat", "gpt3-finnish"},
    {"viking"},
};

class PreTokenizers : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(PreTokenizers, CutAsLlamaCppDoes) {
  for (const std::string& words : GetParam()) {
    SCOPED_TRACE(words);
    weights::TinyOptions options;
    options.text = showing_words(words);
    const weights::TinyModel file(options);
    const Pair pair(file.path());
    if (words == GetParam().front()) {
      pair.expect_all_same();
    } else {
      pair.expect_same_vocabulary();
      std::mt19937 random(2);
      for (int i = 0; i < 5; ++i) pair.expect_same_tokens(random_text(random, 60));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PreTokenizers, testing::ValuesIn(kWords), [](const auto& words) {
  std::string name = words.param.front();
  std::erase_if(name, [](unsigned char c) { return std::isalnum(c) == 0; });
  return name;
});

TEST(PreTokenizers, UnknownOnesAreNamed) {
  weights::TinyOptions options;
  options.text = showing_words("jabberwocky");
  const weights::TinyModel file(options);
  try {
    weights::read_vocabulary(weights::GgufFile(file.path()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kModel);
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("jabberwocky"),
                                             testing::HasSubstr("--backend llama")));
  }
}

// Byte pairs of text, not of stand-ins.
TEST(Tokenizers, OfGemma4AreLlamaCpps) {
  for (const std::string words : {"gemma4", "sarvam-moe"}) {
    weights::TinyOptions options;
    weights::TinyVocabulary& text = options.text;
    text.tokenizer = words == "gemma4" ? words : "gpt2";
    text.words = words;
    const auto add = [&](const std::string& token, int type) {
      text.tokens.push_back(token);
      text.types.push_back(type);
    };
    add("<bos>", 3);
    for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 6);
    for (const std::string token : {"\u2581", "t", "h", "e", "c", "a", "\n", "\n\n", "\n\n\n", "th",
                                    "the", "\u2581the", "at", "cat", "\u2581\u2581", "\u0436"}) {
      add(token, 1);
    }
    add("<table>", 4);
    text.merges = {"t h", "th e", "\u2581 the", "a t", "c at", "\u2581 \u2581"};
    const weights::TinyModel file(options);
    Pair(file.path()).expect_all_same();
  }
}

// Tokens that files list in odd ways, of every type.
TEST(Tokenizers, OddTokensAreReadAlike) {
  const std::vector<std::string> odd = {"",
                                        "\u0120the",
                                        "plain \u4e2d",
                                        "\xff\xfe",
                                        "\u0120\xe2",
                                        "\u2581x",
                                        "a b",
                                        "\u0143",
                                        "\u0144",
                                        "<0x0A>",
                                        "<0xZZ>",
                                        "<0x",
                                        "<0",
                                        "abcdef",
                                        std::string("nul\0behind", 10),
                                        "<|eot_id|>",
                                        "<|end|>",
                                        "<|return|>",
                                        "<|call|>",
                                        "<|channel|>",
                                        "<|start|>",
                                        "</s>",
                                        "<|fim_prefix|>",
                                        "<fim_suffix>",
                                        "\u2581<MID>",
                                        "[PAD]",
                                        "<reponame>",
                                        "<|file_sep|>",
                                        "<unused7>",
                                        "[EOS]",
                                        "<|im_start|>"};
  for (const char* tokenizer : {"gpt2", "llama"}) {
    for (int type = 0; type <= 7; ++type) {
      weights::TinyOptions options;
      weights::TinyVocabulary& text = options.text;
      text.tokenizer = tokenizer;
      text.merges = {"a b"};
      for (const std::string& token : odd) {
        // llama.cpp throws at a byte without a number.
        if (type == 6 && token.size() < 3 && !token.empty()) continue;
        text.tokens.push_back(token);
        text.types.push_back(type);
      }
      for (const char* token : {"<0x20>", "a", "b", "\u0120", "\u010a", "<0x61>"}) {
        text.tokens.push_back(token);
        text.types.push_back(token[0] == '<' && token[1] == '0' ? 6 : 1);
      }
      const weights::TinyModel file(options);
      SCOPED_TRACE(fmt::format("{} {}", tokenizer, type));
      Pair(file.path()).expect_same_vocabulary();
    }
  }
}

// All code points: each as the neighbour of a letter, a digit and a sign. Of those that are
// assigned to nobody or to private use a part will do.
TEST(PreTokenizers, EveryCodePointIsOfTheSameCategory) {
  for (const std::string words : {"gpt-2", "qwen35", "deepseek-v3"}) {
    weights::TinyOptions options;
    options.text = showing_words(words);
    const weights::TinyModel file(options);
    const Pair pair(file.path());
    std::string text;
    for (char32_t point = 0; point < 0x110000; ++point) {
      if (point >= 0xd800 && point < 0xe000) continue;
      const bool sparse = point >= 0x32000 && (point < 0xe0000 || point >= 0xe0200);
      if (sparse && point % 251 != 0) continue;
      text += "a" + utf8(point) + "1!" + utf8(point) + " ";
      if (text.size() > 4000) {
        pair.expect_same_tokens(text);
        text.clear();
      }
    }
    pair.expect_same_tokens(text);
  }
}

TEST(Tokenizers, OfFamiliesAreLlamaCpps) {
  for (const std::string& family : lm::kFamilies) {
    const std::string path = lm::family_model(family);
    if (!std::filesystem::exists(path)) {
      GTEST_SKIP() << path << " is missing: run `make unit`, which generates it";
    }
    SCOPED_TRACE(family);
    Pair(path).expect_all_same();
  }
}

// The models that people use, where one is named: tests/test_tokenizers.py does.
TEST(Tokenizers, OfARealModelIsLlamaCpps) {
  const char* path = std::getenv("SMLL_REAL_MODEL");
  if (!path) GTEST_SKIP() << "SMLL_REAL_MODEL names no model";
  const Pair pair(path);
  pair.expect_all_same();
  if (const char* text = std::getenv("SMLL_REAL_TEXT")) {
    std::ostringstream all;
    all << std::ifstream(text, std::ios::binary).rdbuf();
    pair.expect_same_units(all.str());
  }
}

}  // namespace
}  // namespace smll::llama
