#include "lm/exact/cuda/device_model.h"

#include <map>
#include <mutex>
#include <utility>

namespace smll::exact::cuda {
namespace {

// Of arrays: whole sectors of the device's memory.
std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

std::size_t size_of(const std::vector<float>& values) { return aligned(values.size() * 4); }
std::size_t size_of(const weights::PackedMatrix& matrix) {
  return aligned(matrix.tile_bytes * matrix.tiles);
}

std::size_t size_of(const weights::Layer& layer) {
  std::size_t bytes = 0;
  for (const auto* values :
       {&layer.attention_norm, &layer.ffn_norm, &layer.query_norm, &layer.key_norm,
        &layer.attention_post_norm, &layer.ffn_post_norm, &layer.qkv_bias, &layer.output_bias}) {
    bytes += size_of(*values);
  }
  const weights::LayerMatrices& m = layer.matrices;
  for (const auto* matrix : {&m.query, &m.key, &m.value, &m.output, &m.gate, &m.up, &m.down}) {
    bytes += size_of(*matrix);
  }
  return bytes;
}

}  // namespace

std::shared_ptr<const DeviceModel> DeviceModel::of(
    const std::shared_ptr<Device>& device, const std::shared_ptr<const weights::Weights>& model) {
  using Key = std::pair<const Device*, const weights::Weights*>;
  static std::mutex mutex;
  static std::map<Key, std::weak_ptr<const DeviceModel>> models;
  const std::lock_guard lock(mutex);
  std::erase_if(models, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const DeviceModel>& kept = models[{device.get(), model.get()}];
  if (auto found = kept.lock()) return found;
  Queue queue(device);
  const std::shared_ptr<const DeviceModel> made(new DeviceModel(queue, model));
  kept = made;
  return made;
}

DeviceModel::DeviceModel(Queue& queue, std::shared_ptr<const weights::Weights> model)
    : weights_(std::move(model)) {
  std::size_t bytes = size_of(weights_->output_norm()) + size_of(weights_->head());
  for (const weights::Layer& layer : weights_->layers()) bytes += size_of(layer);
  memory_ = queue.device().allocate(bytes);
  for (const weights::Layer& layer : weights_->layers()) {
    const weights::LayerMatrices& m = layer.matrices;
    layers_.push_back(
        {put(queue, layer.attention_norm), put(queue, layer.ffn_norm), put(queue, layer.query_norm),
         put(queue, layer.key_norm), put(queue, layer.attention_post_norm),
         put(queue, layer.ffn_post_norm), put(queue, layer.qkv_bias), put(queue, layer.output_bias),
         put(queue, m.query), put(queue, m.key), put(queue, m.value), put(queue, m.output),
         put(queue, m.gate), put(queue, m.up), put(queue, m.down)});
  }
  output_norm_ = put(queue, weights_->output_norm());
  head_ = put(queue, weights_->head());
  queue.finish();
}

std::uint8_t* DeviceModel::put(Queue& queue, const void* data, std::size_t bytes) {
  std::uint8_t* const to = memory_.get() + used_;
  used_ += aligned(bytes);
  queue.upload(to, data, bytes);
  return to;
}

const float* DeviceModel::put(Queue& queue, const std::vector<float>& values) {
  if (values.empty()) return nullptr;
  return reinterpret_cast<const float*>(put(queue, values.data(), values.size() * 4));
}

Matrix DeviceModel::put(Queue& queue, const weights::PackedMatrix& matrix) {
  Matrix m{};
  m.tiles = put(queue, matrix.data.data(), matrix.tile_bytes * matrix.tiles);
  m.tile_bytes = matrix.tile_bytes;
  m.u4 = matrix.format == weights::Format::kU4 ? 1 : 0;
  m.tile_count = matrix.tiles;
  return m;
}

}  // namespace smll::exact::cuda
