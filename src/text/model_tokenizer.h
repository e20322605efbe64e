// A model's own tokenizer, made from what its file says.
//
// It gives the tokens that llama.cpp's gives for the same file, since those are what models are fed
// with; src/lm/llama/tokenizer_test.cc compares the two. Text that looks like a control token is
// text.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "text/pre_tokenizer.h"
#include "text/token.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace smll::text {

struct TokenizerTables {
  std::vector<std::string_view> tokens;  // the text of each, all of them different
  std::vector<Token> added;              // those that are cut out of any text before all else
  const PreTokenizer* words = nullptr;   // null: SentencePiece
  std::vector<std::string_view> merges;  // byte pairs: "LEFT RIGHT", in order
  std::vector<float> scores;             // SentencePiece: of each token
  bool space_prefix = false;             // SentencePiece: texts begin with a space
};

// `tables` is called when there is a first text to tokenize, and never by several threads; what its
// texts lie in must live as long as it does. `vocabulary` must outlive the result.
Tokenizer::Raw model_tokenizer(const Vocabulary& vocabulary,
                               std::function<TokenizerTables()> tables);

}  // namespace smll::text
