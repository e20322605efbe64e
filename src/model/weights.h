// A llama-family model, decoded, requantized and packed for the exact engine.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "exact/kernels/layout.h"
#include "model/gguf_decode.h"
#include "model/gguf_file.h"
#include "predictor/predictor.h"

namespace smll::model {

struct HyperParameters {
  int layers = 0;
  int width = 0;     // of the residual stream
  int heads = 0;     // query heads
  int kv_heads = 0;  // each serves heads/kv_heads query heads
  int head_dim = 0;  // a multiple of 32
  int ffn_width = 0;
  int vocabulary = 0;
  int rope_dims = 0;  // leading dimensions of a head that are rotated
  float rms_epsilon = 0;
  double rope_base = 0;
  double rope_scale = 1;  // positions are multiplied by it (linear scaling)
  int trained_context = 0;
};

// Uninitialized memory aligned to 64 bytes, on huge pages where it is large.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes);
  std::uint8_t* data() { return data_.get(); }
  const std::uint8_t* data() const { return data_.get(); }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  struct Free {
    void operator()(std::uint8_t* p) const;
  };
  std::unique_ptr<std::uint8_t[], Free> data_;
};

// outputs x inputs weights in tiles (exact/kernels/layout.h); outputs beyond the last are zero.
struct PackedMatrix {
  Format format = Format::kS8;
  int outputs = 0;
  int tiles = 0;
  int blocks = 0;  // inputs / 32
  std::size_t tile_bytes = 0;
  AlignedBuffer data;
};

struct Layer {
  std::vector<float> attention_norm;
  std::vector<float> ffn_norm;
  PackedMatrix query, key, value, output;
  PackedMatrix gate, up, down;
};

// Immutable after loading; may be shared by any number of engines and threads.
class Model {
 public:
  // `row_order`: token ids of the head's rows in the order wanted; empty means all of them in
  // order. Throws Error(kModel) for a file that is damaged or of another architecture.
  static std::shared_ptr<const Model> load(const std::string& path,
                                           std::span<const Token> row_order, int threads);

  const HyperParameters& hyper() const { return hyper_; }
  const std::vector<Layer>& layers() const { return layers_; }
  const std::vector<float>& output_norm() const { return output_norm_; }
  const PackedMatrix& head() const { return head_; }
  // Divisors of the rotation frequencies (Llama 3), or empty.
  const std::vector<float>& rope_factors() const { return rope_factors_; }
  Token start_token() const { return start_token_; }

  // The embedding of a token: width() floats. Throws Error(kData) for a token that does not exist.
  void embed(Token token, float* out) const;

  // XXH3-64 over the canonical weights in file order and the hyper-parameters. Not the vocabulary,
  // and not the row order.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  friend class Loader;

  std::unique_ptr<GgufFile> file_;  // stays mapped for the embeddings
  const TensorView* embedding_ = nullptr;
  HyperParameters hyper_;
  std::vector<Layer> layers_;
  std::vector<float> output_norm_;
  PackedMatrix head_;
  std::vector<float> rope_factors_;
  Token start_token_ = 0;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace smll::model
