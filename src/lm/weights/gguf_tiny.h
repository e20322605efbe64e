// Writes small random models for tests, through ggml's own GGUF writer and quantizers.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "ggml.h"
#include "gguf.h"

namespace smll::weights {

// A vocabulary as llama.cpp reads it.
struct TinyVocabulary {
  std::string tokenizer;  // "llama" (SentencePiece) or "gpt2" (byte pairs)
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;  // llama_token_type of each
  std::vector<float> scores;        // "llama"
  std::vector<std::string> merges;  // "gpt2"
  bool space_prefix = false;
};

struct TinyOptions {
  std::string architecture = "llama";
  ggml_type type = GGML_TYPE_Q4_1;       // of the layers' matrices
  ggml_type head_type = GGML_TYPE_Q8_0;  // of the embedding and the head
  bool tied = true;
  bool rope_factors = false;
  int rope_dims = 32;
  int vocabulary = 100;
  TinyVocabulary text;       // none where it has no tokens; `vocabulary` is their number
  std::string extra_tensor;  // a tensor the engine does not know
  unsigned seed = 1;
};

// Width 64, 4 heads of 32 dimensions, 2 key heads, feed-forward width 96, 2 layers.
class TinyWriter {
 public:
  explicit TinyWriter(const TinyOptions& options) : options_(options), random_(options.seed) {
    if (!options.text.tokens.empty()) {
      options_.vocabulary = static_cast<int>(options.text.tokens.size());
    }
    ggml_init_params params = {std::size_t{16} << 20, nullptr, false};
    context_ = ggml_init(params);
    file_ = gguf_init_empty();
  }
  ~TinyWriter() {
    gguf_free(file_);
    ggml_free(context_);
  }
  TinyWriter(const TinyWriter&) = delete;
  TinyWriter& operator=(const TinyWriter&) = delete;

  void write(const std::string& path) {
    metadata();
    add("token_embd.weight", options_.head_type, 64, options_.vocabulary, 1.0f);
    if (!options_.tied) add("output.weight", options_.head_type, 64, options_.vocabulary, 0.3f);
    add_ones("output_norm.weight", 64);
    if (options_.rope_factors) add_ones("rope_freqs.weight", options_.rope_dims / 2);
    for (int i = 0; i < 2; ++i) layer("blk." + std::to_string(i) + ".");
    if (!options_.extra_tensor.empty()) add_ones(options_.extra_tensor, 64);
    gguf_write_to_file(file_, path.c_str(), false);
  }

 private:
  void metadata() {
    const std::string prefix = options_.architecture + ".";
    gguf_set_val_str(file_, "general.architecture", options_.architecture.c_str());
    const auto set = [&](const char* key, unsigned value) {
      gguf_set_val_u32(file_, (prefix + key).c_str(), value);
    };
    set("block_count", 2);
    set("embedding_length", 64);
    set("feed_forward_length", 96);
    set("attention.head_count", 4);
    set("attention.head_count_kv", 2);
    set("attention.key_length", 32);
    set("attention.value_length", 32);
    set("rope.dimension_count", static_cast<unsigned>(options_.rope_dims));
    set("context_length", 512);
    gguf_set_val_f32(file_, (prefix + "attention.layer_norm_rms_epsilon").c_str(), 1e-5f);
    gguf_set_val_f32(file_, (prefix + "rope.freq_base").c_str(), 10000.0f);
    gguf_set_val_u32(file_, "tokenizer.ggml.bos_token_id", 1);
    if (!options_.text.tokens.empty()) vocabulary();
  }

  void vocabulary() {
    const TinyVocabulary& text = options_.text;
    const auto set_texts = [&](const char* key, const std::vector<std::string>& texts) {
      std::vector<const char*> pointers;
      for (const std::string& each : texts) pointers.push_back(each.c_str());
      gguf_set_arr_str(file_, key, pointers.data(), pointers.size());
    };
    gguf_set_val_str(file_, "tokenizer.ggml.model", text.tokenizer.c_str());
    gguf_set_val_str(file_, "tokenizer.ggml.pre", "gpt-2");
    set_texts("tokenizer.ggml.tokens", text.tokens);
    gguf_set_arr_data(file_, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, text.types.data(),
                      text.types.size());
    if (!text.scores.empty()) {
      gguf_set_arr_data(file_, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, text.scores.data(),
                        text.scores.size());
    }
    if (!text.merges.empty()) set_texts("tokenizer.ggml.merges", text.merges);
    gguf_set_val_bool(file_, "tokenizer.ggml.add_space_prefix", text.space_prefix);
  }

  void layer(const std::string& prefix) {
    add_ones(prefix + "attn_norm.weight", 64);
    add_ones(prefix + "ffn_norm.weight", 64);
    add(prefix + "attn_q.weight", options_.type, 64, 128, 0.2f);
    add(prefix + "attn_k.weight", options_.type, 64, 64, 0.2f);
    add(prefix + "attn_v.weight", options_.type, 64, 64, 0.2f);
    add(prefix + "attn_output.weight", options_.type, 128, 64, 0.2f);
    add(prefix + "ffn_gate.weight", options_.type, 64, 96, 0.2f);
    add(prefix + "ffn_up.weight", options_.type, 64, 96, 0.2f);
    add(prefix + "ffn_down.weight", options_.type, 96, 64, 0.2f);
  }

  void add(const std::string& name, ggml_type type, int columns, int rows, float spread) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context_, type, columns, rows);
    ggml_set_name(tensor, name.c_str());
    std::vector<float> values(static_cast<std::size_t>(columns) * rows);
    // Uniform from the generator's own bits: std's distributions differ between libraries.
    for (float& v : values) v = spread * (static_cast<float>(random_() >> 8) * 0x1p-23f - 1.0f);
    if (type == GGML_TYPE_F32) {
      std::copy(values.begin(), values.end(), static_cast<float*>(tensor->data));
    } else {
      ggml_quantize_chunk(type, values.data(), tensor->data, 0, rows, columns, nullptr);
    }
    gguf_add_tensor(file_, tensor);
  }

  void add_ones(const std::string& name, int size) {
    ggml_tensor* tensor = ggml_new_tensor_1d(context_, GGML_TYPE_F32, size);
    ggml_set_name(tensor, name.c_str());
    for (int i = 0; i < size; ++i) {
      static_cast<float*>(tensor->data)[i] = 1.0f + static_cast<float>(random_() >> 8) * 0x1p-26f;
    }
    gguf_add_tensor(file_, tensor);
  }

  TinyOptions options_;
  std::mt19937 random_;
  ggml_context* context_;
  gguf_context* file_;
};

// A temporary file that goes with the object.
class TinyFile {
 public:
  TinyFile() {
    path_ = (std::filesystem::temp_directory_path() / "smll-tiny-XXXXXX").string();
    const int fd = mkstemp(path_.data());
    if (fd >= 0) ::close(fd);
  }
  ~TinyFile() { std::filesystem::remove(path_); }
  TinyFile(const TinyFile&) = delete;
  TinyFile& operator=(const TinyFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A tiny model in such a file.
class TinyModel : public TinyFile {
 public:
  explicit TinyModel(const TinyOptions& options = {}) { TinyWriter(options).write(path()); }
};

}  // namespace smll::weights
