// Looks at a model's file before llama.cpp does, which ends the process over some damaged ones.
#pragma once

#include <string>

namespace smll::llama {

// Throws Error(kModel) when `path` is no GGUF file, is one part of a split model, or its vocabulary
// is not one that llama.cpp can be given: without tokens, with one that stands twice or, unless
// `any_tokenizer`, with a tokenizer that llama-family models do not have.
void check_gguf(const std::string& path, bool any_tokenizer);

}  // namespace smll::llama
