// The vocabulary of a GGUF file and the tokenizer that belongs to it, as llama.cpp would have them.
#pragma once

#include <functional>
#include <vector>

#include "lm/weights/gguf_file.h"
#include "text/model_tokenizer.h"
#include "text/token.h"
#include "text/vocabulary.h"

namespace smll::weights {

struct GgufVocabulary {
  std::vector<text::VocabularyEntry> entries;  // by token id
  // The token that opens a context: the model's begin-of-text token or, without one, its
  // end-of-text token.
  Token start_token = 0;
  // What the tokenizer is made from. Keeps what it needs of the file in memory.
  std::function<text::TokenizerTables()> tables;
};

// Throws Error(kModel) when the file has no vocabulary, a damaged one, or one whose tokenizer is
// not known.
GgufVocabulary read_vocabulary(const GgufFile& file);

// Throws Error(kModel) when the file is one part of a split model, or its list of tokens is
// missing, empty, or has one twice: llama.cpp ends the process over such a list, and reads the
// other parts of a split model, which no fingerprint would cover.
void check_vocabulary(const GgufFile& file);

}  // namespace smll::weights
