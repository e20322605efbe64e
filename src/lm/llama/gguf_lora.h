// Writes LoRA adapters in llama.cpp's GGUF form, for tests.
#pragma once

#include <random>
#include <stdexcept>
#include <string>

#include "ggml.h"
#include "gguf.h"

namespace smll::weights {

class LoraWriter {
 public:
  LoraWriter(const std::string& architecture, float alpha) {
    gguf_set_val_str(file_, "general.type", "adapter");
    gguf_set_val_str(file_, "general.architecture", architecture.c_str());
    gguf_set_val_str(file_, "adapter.type", "lora");
    gguf_set_val_f32(file_, "adapter.lora.alpha", alpha);
  }
  ~LoraWriter() {
    gguf_free(file_);
    ggml_free(context_);
  }
  LoraWriter(const LoraWriter&) = delete;
  LoraWriter& operator=(const LoraWriter&) = delete;

  void set(const std::string& key, const std::string& value) {
    gguf_set_val_str(file_, key.c_str(), value.c_str());
  }

  // Random factors of a matrix, F32 or F16.
  void add(const std::string& matrix, int inputs, int outputs, int rank, float size,
           ggml_type type = GGML_TYPE_F32) {
    add_factor(matrix + ".lora_a", inputs, rank, 1.0f, type);
    add_factor(matrix + ".lora_b", rank, outputs, size, type);
  }
  void add_factor(const std::string& name, int columns, int rows, float size,
                  ggml_type type = GGML_TYPE_F32) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context_, type, columns, rows);
    ggml_set_name(tensor, name.c_str());
    for (int i = 0; i < columns * rows; ++i) {
      const float value = size * (static_cast<float>(random_() >> 8) * 0x1p-23f - 1.0f);
      if (type == GGML_TYPE_F32) {
        static_cast<float*>(tensor->data)[i] = value;
      } else {
        static_cast<ggml_fp16_t*>(tensor->data)[i] = ggml_fp32_to_fp16(value);
      }
    }
    gguf_add_tensor(file_, tensor);
  }

  void write(const std::string& path) const {
    if (!gguf_write_to_file(file_, path.c_str(), false)) {
      throw std::runtime_error(path + " cannot be written");
    }
  }

 private:
  gguf_context* file_ = gguf_init_empty();
  ggml_context* context_ = ggml_init({std::size_t{16} << 20, nullptr, false});
  std::mt19937 random_{7};
};

}  // namespace smll::weights
