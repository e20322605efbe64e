// The table of kernels of one instruction set. Every entry gives bit-identical results on all of
// them; the scalar table is the definition. docs/design/exactness.md says why each rule is as it
// is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lm/exact/cpu/layout.h"

namespace smll::exact {

// Rows of int8 activations with one scale a block of 32. Value = scale * q8.
struct Activations {
  std::int8_t* q8 = nullptr;
  float* scale = nullptr;
  float* scaled_sum = nullptr;  // scale * float(sum of q8 in the block)
  std::int32_t* sum = nullptr;  // sum of q8 in the block
  std::size_t stride =
      0;  // elements from row to row, a multiple of 32; per-block arrays: stride/32

  // The same rows from row `row` and input `first` (a multiple of 32) on. Always inlined: a copy of
  // its own, compiled for one instruction set, would serve all others (scripts/check_kernels).
  [[gnu::always_inline]] Activations at(std::size_t row, std::size_t first = 0) const {
    const std::size_t element = row * stride + first;
    const std::size_t block = element / kBlock;
    return {q8 + element, scale + block, scaled_sum + block, sum + block, stride};
  }
};

// out[r][16t + o] (+)= dot(activations row r, output o of tile t).
struct GemmArgs {
  const std::uint8_t* tiles;
  std::size_t tile_bytes;
  int tile_count;
  int blocks;
  Activations input;
  int rows;
  float* out;
  std::size_t out_stride;
  bool add;  // out += acc instead of out = acc
  // How far behind what the first rows read lies what they ask the memory for meanwhile. Where
  // nothing is said it comes a little later, in this product.
  std::ptrdiff_t fetch_ahead = 0;
};

// out[r][d] = fma(scale[r], float(sum over positions of weight[r][p] * v[p][d]), out[r][d]).
// v is int8 [position/4][head_dim][4]; weights are int16, in each group of 4 positions ordered
// 0,2,1,3. At most 512 positions, so that an int32 holds any sum.
struct ValueArgs {
  const std::int8_t* v;
  int groups;    // of 4 positions
  int head_dim;  // a multiple of 32
  const std::int16_t* weights;
  std::size_t weight_stride;
  const float* scale;
  int rows;
  float* out;
  std::size_t out_stride;
  std::ptrdiff_t fetch_ahead = 0;  // as in GemmArgs
};

// One chunk of positions of the softmax; all arrays have `count` entries, a multiple of 16.
struct SoftmaxChunkArgs {
  const float* scores;
  const float* v_scale;
  int count;
  float max;              // of all scores of the row
  float* sums;            // [16] lane sums of exp(score - max), updated
  float* scratch;         // [count]
  std::int16_t* weights;  // out, ordered as ValueArgs wants them
};

// c[r][j] = (c[r][j] +) sum over p of a[r * a_row + p * a_inner] * b[p * b_stride + j], all floats.
struct MultiplyArgs {
  const float* a;
  std::size_t a_row, a_inner;
  const float* b;
  std::size_t b_stride;
  float* c;
  std::size_t c_stride;
  int rows, inner;
  int columns;  // a multiple of 16
  bool add;
};

// out += the gradient of the input x of an rms_norm, given that of its output.
struct NormGradientArgs {
  const float* x;
  const float* weight;
  const float* gradient;
  float epsilon;
  std::size_t n;  // a multiple of 16
  float* out;
};

// What a softmax's weights and the gradient of its results give for its scores:
// scores become w = exp(score - max) * inverse_sum, gradient becomes w * (gradient - along).
struct SoftmaxGradientArgs {
  float* scores;
  float* gradient;
  std::size_t n;  // a multiple of 16
  float max, inverse_sum;
  float along;  // the sum of weight * gradient over all of the softmax
};

// RMSProp: square = keep * square + (1 - keep) * gradient^2, and
// weight -= rate * gradient / (sqrt(square * correction) + epsilon).
struct RmsStepArgs {
  const float* gradient;
  float* weight;
  float* square;
  std::size_t n;  // a multiple of 16
  float keep, rate, correction, epsilon;
};

struct Kernels {
  const char* name;

  void (*gemm_u4)(const GemmArgs& args);
  void (*gemm_s8)(const GemmArgs& args);
  void (*add_values)(const ValueArgs& args);
  // Returns the chunk's scale for ValueArgs.
  float (*softmax_chunk)(const SoftmaxChunkArgs& args);

  // The largest of n values (n a multiple of 16), at least -FLT_MAX.
  float (*max_value)(const float* x, std::size_t n);
  // Tree-folded sum of 16 lanes.
  float (*sum_lanes)(const float* lanes);
  // Quantizes n values (a multiple of 32) of one row.
  void (*quantize)(const float* x, std::size_t n, const Activations& out);
  // out = x / rms(x) * weight, n a multiple of 32.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, std::size_t n, float* out);
  // gate = silu(gate) * up, n a multiple of 16.
  void (*silu_mul)(float* gate, const float* up, std::size_t n);
  // gate = gelu(gate) * up, with GELU's approximation by tanh; n a multiple of 16.
  void (*gelu_mul)(float* gate, const float* up, std::size_t n);
  // x = limit * tanh(x / limit), n a multiple of 16.
  void (*cap)(float* x, float limit, std::size_t n);
  // Rotates n interleaved values (a multiple of 16): y = fma(x, cos, swap_pairs(x) * sin).
  void (*rotate)(float* x, const float* cos, const float* sin, std::size_t n);
  // x *= factor, n a multiple of 16.
  void (*scale)(float* x, float factor, std::size_t n);

  // freq[i] = 1 + floor(exp(logits[i] - max) * 2^30), any n.
  void (*frequencies)(const float* logits, std::size_t n, std::uint32_t* freq);

  void (*multiply)(const MultiplyArgs& args);
  // Given the gradient of silu(gate) * up, or gelu(gate) * up, makes gate and up their own
  // gradients. n a multiple of 16.
  void (*silu_gradient)(float* gate, float* up, const float* gradient, std::size_t n);
  void (*gelu_gradient)(float* gate, float* up, const float* gradient, std::size_t n);
  void (*softmax_gradient)(const SoftmaxGradientArgs& args);
  void (*rms_norm_gradient)(const NormGradientArgs& args);
  void (*rms_step)(const RmsStepArgs& args);

  // Null, or to be called before and after kernels in a thread that also runs others' code, whose
  // registers the kernels do not keep by themselves.
  void (*enter)() = nullptr;
  void (*leave)() = nullptr;
};

// Calls enter() and leave().
class KernelScope {
 public:
  explicit KernelScope(const Kernels& kernels) : kernels_(kernels) {
    if (kernels_.enter) kernels_.enter();
  }
  ~KernelScope() {
    if (kernels_.leave) kernels_.leave();
  }
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;

 private:
  const Kernels& kernels_;
};

const Kernels& scalar_kernels();
// Null where this build has no such kernels. AMX's are those that it has of its own; the others,
// null, are AVX-512's.
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();
const Kernels* amx_kernels();
const Kernels* neon_kernels();

}  // namespace smll::exact
