#include "lm/llama/llama_handles.h"

#include <fmt/format.h>

#include <mutex>

#include "base/fp_env.h"
#include "lm/weights/gguf_vocabulary.h"
#include "smll/error.h"

namespace smll::llama {
namespace {

// llama.cpp reports through one process-wide callback; only errors are of interest, and only when a
// call fails.
std::mutex log_mutex;
std::string last_error;

void keep_errors(ggml_log_level level, const char* text, void*) {
  if (level != GGML_LOG_LEVEL_ERROR) return;
  const std::lock_guard lock(log_mutex);
  last_error = text;
  while (!last_error.empty() && last_error.back() == '\n') last_error.pop_back();
}

}  // namespace

void start() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(keep_errors, nullptr);
    llama_backend_init();
  });
}

ModelHandle load_model(const std::string& path, bool vocab_only) {
  const FpEnv environment;  // for tables that llama.cpp makes once
  start();
  // llama.cpp ends the process over some damaged vocabularies.
  weights::check_vocabulary(weights::GgufFile(path));
  {
    const std::lock_guard lock(log_mutex);
    last_error.clear();
  }
  llama_model_params params = llama_model_default_params();
  params.vocab_only = vocab_only;
  params.n_gpu_layers = 0;
  params.check_tensors = !vocab_only;
  // Read, not mapped: the file may be written over while the model is in use.
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  params.lazy_mode = LLAMA_LAZY_MODE_OFF;
  ModelHandle model(llama_model_load_from_file(path.c_str(), params));
  if (!model) {
    const std::lock_guard lock(log_mutex);
    throw Error(ErrorKind::kModel,
                fmt::format("{}: not a model that llama.cpp can load ({}); give a GGUF file", path,
                            last_error.empty() ? "no reason given" : last_error));
  }
  return model;
}

}  // namespace smll::llama
