// The llama.cpp backend: any model that llama.cpp runs, with the results of this build on this
// machine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "llama/llama_handles.h"
#include "predictor/predictor.h"

namespace smll::llama {

// What results depend on besides the model: the number of threads, and a hash of the library's
// build and the CPU features that it uses ("2t6b1a9c"). Short, since every archive records it.
std::string set_up(int threads);

// `row_order`: token id of each logit of a row. `threads` 0: one per core.
std::unique_ptr<Predictor> make_predictor(std::shared_ptr<const llama_model> model,
                                          std::span<const Token> row_order, int window,
                                          int threads);

// Bytes that a predictor takes besides the model, nearly: llama.cpp does not tell before it has
// them.
std::uint64_t predictor_memory(const llama_model& model, int window);

}  // namespace smll::llama
