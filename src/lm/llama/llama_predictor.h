// The llama.cpp backend: any model that llama.cpp runs, with the results of this build on this
// machine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lm/llama/llama_handles.h"
#include "lm/predictor.h"
#include "text/vocabulary.h"

namespace smll::llama {

// What results depend on besides the model: the number of threads, and a hash of the library's
// build and the CPU features that it uses ("2t6b1a9c"). Short, since every archive records it.
std::string set_up(int threads);

// `vocabulary` must outlive it. `threads` 0: one per core. `isa`: of the kernel that makes
// frequencies.
std::unique_ptr<lm::Predictor> make_predictor(std::shared_ptr<const llama_model> model,
                                              const text::Vocabulary& vocabulary, int window,
                                              int threads, exact::Isa isa);

// Bytes that a predictor takes besides the model, nearly: llama.cpp does not tell before it has
// them.
std::uint64_t predictor_memory(const llama_model& model, int window);

}  // namespace smll::llama
