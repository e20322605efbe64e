// A model of a family that the exact engine knows, decoded, requantized and packed for the exact
// engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lm/weights/gguf_file.h"
#include "lm/weights/model_spec.h"
#include "lm/weights/packed_matrix.h"
#include "text/token.h"

namespace smll::weights {

struct LayerMatrices {
  PackedMatrix query, key, value, output, gate, up, down;
};

// Rows of queries and keys, and what belongs to them, are in the order of RotaryPairs::kNeighbours.
struct Layer {
  std::vector<float> attention_norm;  // [width]
  std::vector<float> ffn_norm;        // [width]
  // Where the family has them; otherwise empty.
  std::vector<float> query_norm, key_norm;                // [head_dim]
  std::vector<float> attention_post_norm, ffn_post_norm;  // [width]
  std::vector<float> qkv_bias;                            // [query_width + 2 * key_width]
  std::vector<float> output_bias;                         // [width]
  LayerMatrices matrices;
};

// Of a model's row of queries or keys: the file's, which may have them in another order.
std::size_t row_of_head(const ModelSpec& spec, std::size_t row);

// Which tokens the head has rows for, and which one opens a context.
struct Coding {
  // The file's begin-of-text token or, without one, its end-of-text token.
  static constexpr Token kNamedByFile = -1;

  std::span<const Token> row_order;  // of the rows wanted; empty: all of them in order of ids
  Token start_token = kNamedByFile;
};

// Immutable after loading; may be shared by any number of engines and threads.
class Weights {
 public:
  // Throws Error(kModel) for a file that is damaged or of a family that is not known. The file is
  // not needed any more afterwards.
  static std::shared_ptr<const Weights> load(const std::string& path, const Coding& coding,
                                             int threads);
  // The same of an open file, which is not needed any more afterwards. `coding` is called when all
  // but the head has been read, and may wait for its answer.
  static std::shared_ptr<const Weights> load_with(const GgufFile& file,
                                                  const std::function<Coding()>& coding,
                                                  int threads);

  // The model with other layers of the same sizes, all else shared with it or copied where it is
  // small. `fingerprint` is the new one's.
  static std::shared_ptr<const Weights> with_layers(const Weights& model, std::vector<Layer> layers,
                                                    std::uint64_t fingerprint);

  const ModelSpec& spec() const { return spec_; }
  const std::vector<Layer>& layers() const { return layers_; }
  const std::vector<float>& output_norm() const { return output_norm_; }
  const PackedMatrix& head() const { return head_; }
  Token start_token() const { return start_token_; }

  // The head's row of a token; -1 where it has none.
  std::int32_t row_of(Token token) const {
    return token >= 0 && token < spec_.vocabulary ? row_of_[token] : -1;
  }

  // The embedding of a token: width floats. Throws Error(kData) for a token that does not exist.
  void embed(Token token, float* out) const;

  // XXH3-64 over the canonical weights in file order and the numbers of the specification. Not the
  // vocabulary, and not the row order. Of an adapted model: over the plain one's and the adapter's.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  friend class Loader;

  // Where the head's rows are the embeddings, only the other tokens' are kept.
  TensorInfo embedding_;
  AlignedBuffer embedding_rows_;            // as the file has them
  std::vector<std::int32_t> embedding_of_;  // a token's place there; empty: its id
  ModelSpec spec_;
  std::vector<Layer> layers_;
  std::vector<float> output_norm_;
  PackedMatrix head_;
  std::vector<std::int32_t> row_of_;
  Token start_token_ = 0;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace smll::weights
