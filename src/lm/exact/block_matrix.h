// A matrix of which blocks of 32 weights learn: each block two numbers, the one that its quantized
// values are multiplied by and the one that is added. So the learned matrix has the form and the
// size of the model's, and what it learned is small (as of scales in Kim et al. 2023, "PEQA").
#pragma once

#include <vector>

#include "lm/exact/cpu/kernels.h"
#include "lm/weights/packed_matrix.h"

namespace smll::exact {

class BlockMatrix {
 public:
  // `from`, the model's matrix, must outlive it. `to` becomes a matrix of the same form, a copy at
  // first, and is what has been learned from then on.
  BlockMatrix(const weights::PackedMatrix& from, weights::PackedMatrix& to);

  struct Step {
    const Kernels& kernels;
    float keep, rate, correction, epsilon;  // RmsStepArgs; the rate is that of what is added
  };
  // One step of a tile, given the gradient of its weights, [outputs][inputs]. Sets `weights`, of
  // the same size, to what they are then. Different tiles may be at it at once.
  void step(int tile, const float* gradient, const Step& step, float* weights);

 private:
  template <typename Block>
  void write(int tile, float* weights);

  // By tile: [tile][output][block].
  struct Numbers {
    std::vector<float> values, gradient, squares;
    explicit Numbers(std::size_t count) : values(count), gradient(count), squares(count) {}
  };

  const weights::PackedMatrix& from_;
  weights::PackedMatrix& to_;
  Numbers factor_, addend_;
};

}  // namespace smll::exact
