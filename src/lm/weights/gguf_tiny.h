// Writes small random models for tests.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "lm/weights/gguf_writer.h"

namespace smll::weights {

// A vocabulary as llama.cpp reads it.
struct TinyVocabulary {
  std::string tokenizer;        // "llama" (SentencePiece) or "gpt2" (byte pairs)
  std::string words = "gpt-2";  // its pre-tokenizer
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;  // of each, as GGUF numbers them
  std::vector<float> scores;        // "llama"
  std::vector<std::string> merges;  // "gpt2"
  bool space_prefix = false;
};

struct TinyOptions {
  std::string architecture = "llama";
  TensorType type = kQ4_1;       // of the layers' matrices
  TensorType head_type = kQ8_0;  // of the embedding and the head
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
  }

  void write(const std::string& path) {
    metadata();
    add("token_embd.weight", options_.head_type, 64, options_.vocabulary, 1.0f);
    if (!options_.tied) add("output.weight", options_.head_type, 64, options_.vocabulary, 0.3f);
    add_ones("output_norm.weight", 64);
    if (options_.rope_factors) add_ones("rope_freqs.weight", options_.rope_dims / 2);
    for (int i = 0; i < 2; ++i) layer("blk." + std::to_string(i) + ".");
    if (!options_.extra_tensor.empty()) add_ones(options_.extra_tensor, 64);
    file_.write(path);
  }

 private:
  void metadata() {
    const std::string prefix = options_.architecture + ".";
    file_.set("general.architecture", options_.architecture);
    const auto set = [&](const char* key, std::uint32_t value) { file_.set(prefix + key, value); };
    set("block_count", 2);
    set("embedding_length", 64);
    set("feed_forward_length", 96);
    set("attention.head_count", 4);
    set("attention.head_count_kv", 2);
    set("attention.key_length", 32);
    set("attention.value_length", 32);
    set("rope.dimension_count", static_cast<unsigned>(options_.rope_dims));
    set("context_length", 512);
    file_.set(prefix + "attention.layer_norm_rms_epsilon", 1e-5f);
    file_.set(prefix + "rope.freq_base", 10000.0f);
    file_.set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
    if (!options_.text.tokens.empty()) vocabulary();
  }

  void vocabulary() {
    const TinyVocabulary& text = options_.text;
    file_.set("tokenizer.ggml.model", text.tokenizer);
    file_.set("tokenizer.ggml.pre", text.words);
    file_.set("tokenizer.ggml.tokens", text.tokens);
    file_.set("tokenizer.ggml.token_type", text.types);
    if (!text.scores.empty()) file_.set("tokenizer.ggml.scores", text.scores);
    if (!text.merges.empty()) file_.set("tokenizer.ggml.merges", text.merges);
    file_.set("tokenizer.ggml.add_space_prefix", text.space_prefix);
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

  void add(const std::string& name, TensorType type, int columns, int rows, float spread) {
    std::vector<float> values(static_cast<std::size_t>(columns) * rows);
    // Uniform from the generator's own bits: std's distributions differ between libraries.
    for (float& v : values) v = spread * (static_cast<float>(random_() >> 8) * 0x1p-23f - 1.0f);
    file_.add_tensor(name, type, columns, rows, values);
  }

  void add_ones(const std::string& name, int size) {
    std::vector<float> values(size);
    for (float& v : values) v = 1.0f + static_cast<float>(random_() >> 8) * 0x1p-26f;
    file_.add_tensor(name, kF32, size, 1, values);
  }

  TinyOptions options_;
  std::mt19937 random_;
  GgufWriter file_;
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
