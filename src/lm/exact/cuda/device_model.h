// A model's weights in a GPU's memory.
#pragma once

#include <memory>
#include <vector>

#include "lm/exact/cuda/device.h"
#include "lm/weights/weights.h"

namespace smll::exact::cuda {

// Immutable; all engines of a model on a device share one. Arrays that a family lacks are null.
class DeviceModel {
 public:
  struct Layer {
    const float *attention_norm, *ffn_norm;
    const float *query_norm, *key_norm;
    const float *attention_post_norm, *ffn_post_norm;
    const float *qkv_bias, *output_bias;
    // Without `column` and `first_group`, which are a product's.
    Matrix query, key, value, output, gate, up, down;
  };

  // Uploads it, where no engine of this process has.
  static std::shared_ptr<const DeviceModel> of(
      const std::shared_ptr<Device>& device, const std::shared_ptr<const weights::Weights>& model);

  const std::vector<Layer>& layers() const { return layers_; }
  const float* output_norm() const { return output_norm_; }
  const Matrix& head() const { return head_; }
  const std::shared_ptr<const weights::Weights>& weights() const { return weights_; }

 private:
  DeviceModel(Queue& queue, std::shared_ptr<const weights::Weights> model);

  std::uint8_t* put(Queue& queue, const void* data, std::size_t bytes);
  const float* put(Queue& queue, const std::vector<float>& values);
  Matrix put(Queue& queue, const weights::PackedMatrix& matrix);

  std::shared_ptr<const weights::Weights> weights_;
  Memory memory_;
  std::size_t used_ = 0;
  std::vector<Layer> layers_;
  const float* output_norm_ = nullptr;
  Matrix head_{};
};

}  // namespace smll::exact::cuda
