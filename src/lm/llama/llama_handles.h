// Owners of llama.cpp's objects, and its start-up.
#pragma once

#include <llama.h>

#include <memory>
#include <string>

namespace smll::llama {

struct ModelDeleter {
  void operator()(llama_model* m) const { llama_model_free(m); }
};
struct ContextDeleter {
  void operator()(llama_context* c) const { llama_free(c); }
};
using ModelHandle = std::unique_ptr<llama_model, ModelDeleter>;
using ContextHandle = std::unique_ptr<llama_context, ContextDeleter>;

// Sets up llama.cpp and ggml once: they write no log from now on. Before other threads read files.
void start();

// Loads a GGUF file, its weights too unless `vocab_only`; the file is not needed any more
// afterwards. llama.cpp's log is kept and its last error becomes part of the message. Throws
// Error(kModel).
ModelHandle load_model(const std::string& path, bool vocab_only);

}  // namespace smll::llama
