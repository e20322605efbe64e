// The vocabulary and tokenizer of a GGUF file, read by llama.cpp.
#pragma once

#include <vector>

#include "lm/llama/llama_handles.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace smll::llama {

// What each token id spells, and whether it stands for text at all.
std::vector<text::VocabularyEntry> read_vocabulary(const llama_model& model);

// The model's own tokenizer. Text that looks like a special token is text. Keeps a reference to
// `model`.
text::Tokenizer::Raw raw_tokenizer(const llama_model& model);

// The token that opens a context: the model's begin-of-text token or, without one, its end-of-text
// token.
Token start_token(const llama_model& model);

}  // namespace smll::llama
