// Owners of the arrays that the kernels work on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lm/exact/cpu/kernels.h"

namespace smll::exact {

// Memory for `rows` rows of quantized activations.
class ActivationBuffer {
 public:
  ActivationBuffer() = default;
  ActivationBuffer(std::size_t rows, std::size_t columns)
      : q8_(rows * columns),
        scale_(rows * columns / kBlock),
        scaled_sum_(scale_.size()),
        sum_(scale_.size()),
        stride_(columns) {}

  Activations view() {
    return {q8_.data(), scale_.data(), scaled_sum_.data(), sum_.data(), stride_};
  }

 private:
  std::vector<std::int8_t> q8_;
  std::vector<float> scale_;
  std::vector<float> scaled_sum_;
  std::vector<std::int32_t> sum_;
  std::size_t stride_ = 0;
};

}  // namespace smll::exact
