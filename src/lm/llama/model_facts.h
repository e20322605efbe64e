// What a GGUF file says of its model, as llama.cpp reads it.
#pragma once

#include "lm/llama/llama_handles.h"
#include "smll/smll.h"

namespace smll::llama {

// All but the file's size. The model's vocabulary is enough.
ModelFacts read_facts(const llama_model& model);

// general.name; "" where there is none.
std::string read_name(const llama_model& model);

}  // namespace smll::llama
