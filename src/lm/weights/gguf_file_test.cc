// Damaged files are refused with an Error, or read as what they now say.
#include "lm/weights/gguf_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include "lm/weights/gguf_tiny.h"
#include "lm/weights/gguf_vocabulary.h"
#include "lm/weights/model_facts.h"
#include "smll/error.h"
#include "text/model_tokenizer.h"

namespace smll::weights {
namespace {

std::string contents(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

TinyOptions with_vocabulary(const std::string& tokenizer) {
  TinyOptions options;
  TinyVocabulary& text = options.text;
  text.tokenizer = tokenizer;
  text.tokens = {"<s>", "a", "b", "ab", "<0x20>", "<tag>", ""};
  text.types = {3, 1, 1, 1, 6, 4, 1};
  text.merges = {"a b"};
  text.scores = {0, -1, -2, -0.5, 0, 0, 0};
  return options;
}

TEST(GgufFile, ReadsWhatWasWritten) {
  const TinyModel model(with_vocabulary("gpt2"));
  const GgufFile file(model.path());
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.integer("llama.block_count"), 2u);
  EXPECT_EQ(file.number("llama.rope.freq_base"), 10000.0);
  EXPECT_EQ(file.boolean("tokenizer.ggml.add_space_prefix"), false);
  EXPECT_FALSE(file.text("llama.block_count"));
  EXPECT_FALSE(file.integer("nowhere"));
  const auto tokens = file.texts("tokenizer.ggml.tokens");
  ASSERT_TRUE(tokens);
  ASSERT_EQ(tokens->size(), 7u);
  EXPECT_EQ((*tokens)[3], "ab");
  EXPECT_EQ((*tokens)[6], "");
  ASSERT_TRUE(file.find("blk.1.ffn_down.weight"));
  EXPECT_EQ(file.find("blk.1.ffn_down.weight")->columns, 96u);
  EXPECT_EQ(read_facts(file).vocabulary, 7u);
  EXPECT_EQ(read_facts(file).trained_context, 512u);
}

// As far as it can be read, all of it is.
void read_all(const std::string& path) {
  const GgufFile file(path);
  read_facts(file);
  const GgufVocabulary read = read_vocabulary(file);
  const text::Vocabulary vocabulary(read.entries);
  text::model_tokenizer(vocabulary, read.tables)("ab <tag>b");
}

TEST(GgufFile, DamageIsRefusedOrRead) {
  for (const char* tokenizer : {"gpt2", "llama"}) {
    const TinyModel model(with_vocabulary(tokenizer));
    const std::string whole = contents(model.path());
    const std::size_t header = whole.find("blk.1.ffn_down.weight") + 64;
    const TinyFile damaged;
    const auto try_it = [&](const std::string& bytes) {
      std::ofstream(damaged.path(), std::ios::binary) << bytes;
      try {
        read_all(damaged.path());
        return true;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kModel) << error.what();
        return false;
      }
    };
    EXPECT_TRUE(try_it(whole));
    for (std::size_t size = 0; size < header; size += 13)
      EXPECT_FALSE(try_it(whole.substr(0, size)));
    std::mt19937 random(1);
    for (int i = 0; i < 700; ++i) {
      std::string bytes = whole;
      // One byte, or a length of eight bytes that is out of all proportion.
      const std::size_t at = random() % (header - 8);
      bytes[at] = static_cast<char>(random());
      if (i % 3 == 0) bytes.replace(at, 8, 8, static_cast<char>(random()));
      try_it(bytes);
    }
  }
}

}  // namespace
}  // namespace smll::weights
