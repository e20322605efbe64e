// Low-rank adapters (LoRA, Hu et al. 2021) in llama.cpp's GGUF form, trained elsewhere.
#pragma once

#include <string>

#include "lm/weights/adapter.h"

namespace smll::weights {

// What the file adds to the model's matrices, times `scale`, as differences of their S8 form: of a
// matrix NAME the product of NAME.lora_b and NAME.lora_a, times adapter.lora.alpha / rank where
// there is an alpha. Tensors are F32, F16 or BF16. Throws Error(kModel) for a file that is damaged,
// no such adapter or for another model, as far as can be told, and for tensors of anything but the
// layers' matrices.
Adapter adapter_from_lora(const std::string& gguf_path, const Weights& model, float scale,
                          int threads);

}  // namespace smll::weights
