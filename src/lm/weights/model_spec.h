// What a transformer is made of, as data: the engine's forward pass (lm/exact/forward.h) is written
// over it, and knows no family by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smll::weights {

// How the feed-forward part's gate is bent: gate * sigmoid(gate), or GELU in its approximation by
// tanh (Hendrycks and Gimpel 2016, section 2).
enum class Activation { kSilu, kGelu };

// Which dimensions of a head turn together: 2i and 2i + 1, or i and i + dims / 2. Weights of the
// second kind are permuted to the first as they are loaded.
enum class RotaryPairs { kNeighbours, kHalves };

// A rotary position embedding (Su et al. 2021).
struct Rotation {
  int dims = 0;  // leading dimensions of a head that are rotated
  double base = 1;
  double scale = 1;            // positions are multiplied by it
  std::vector<float> factors;  // divisors of the frequencies (Llama 3), [dims / 2], or empty
};

struct LayerSpec {
  static constexpr int kNotRotated = -1;
  int rotation = 0;  // index in ModelSpec::rotations, or kNotRotated
  // Positions that a query sees, itself included, where that is less than the engine's window; 0:
  // as many as the engine lets it.
  int local_window = 0;
};

struct ModelSpec {
  std::string architecture;  // as GGUF names it
  int width = 0;             // of the residual stream
  int heads = 0;             // of queries
  int kv_heads = 0;          // each serves heads / kv_heads query heads
  int head_dim = 0;          // a multiple of 32
  int ffn_width = 0;
  int vocabulary = 0;
  int trained_context = 0;
  float rms_epsilon = 0;
  Activation activation = Activation::kSilu;
  RotaryPairs pairs = RotaryPairs::kNeighbours;
  bool query_key_norms = false;  // of each head, before it is rotated
  bool post_norms = false;       // of what attention and feed-forward part add to the stream
  float embedding_scale = 1;
  float attention_scale = 0;  // of scores
  float residual_scale = 1;   // of what is added to the stream
  float logit_scale = 1;
  float logit_cap = 0;           // logits become cap * tanh(logit / cap); 0: they stay
  bool rate_by_weights = false;  // a matrix learns in steps measured by its weights' size
  std::vector<Rotation> rotations;
  std::vector<LayerSpec> layers;

  int query_width() const { return heads * head_dim; }
  int key_width() const { return kv_heads * head_dim; }
};

}  // namespace smll::weights
