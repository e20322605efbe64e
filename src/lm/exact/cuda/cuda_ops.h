// The operations of forward() on a GPU. The host makes embeddings and rotary angles, the device the
// rest; what is asked for comes back.
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "lm/exact/cuda/answers.h"
#include "lm/exact/cuda/device_model.h"
#include "lm/exact/cuda/pages.h"
#include "lm/exact/cuda/steps.h"
#include "lm/exact/ops.h"
#include "lm/exact/rope.h"
#include "lm/weights/weights.h"

namespace smll::exact::cuda {

// What libsmll_cuda computes with; it does not learn.
class CudaOps : public Ops {
 public:
  // `pool`'s threads make embeddings and call sinks. `decisions`: those of EngineOptions. Throws
  // Error(kModel) for a model that is too wide, and what Device throws.
  CudaOps(const std::shared_ptr<const weights::Weights>& model, std::shared_ptr<Device> device,
          ThreadPool::Client& pool, int window, std::span<const lm::Decision> decisions);
  ~CudaOps() override;

  // As Engine::device_lanes().
  static std::size_t lanes(const weights::Weights& model, const Device& device, int window);

  std::size_t max_rows() const override;
  std::size_t head_rows() const override;

  void open_lane(int lane, std::shared_ptr<const lm::KeptContext> begin) override;
  void close_lane(int lane) override;
  std::shared_ptr<const lm::KeptContext> keep_lane(int lane) override;
  void forget(int lane, std::uint64_t first, std::size_t count) override;
  std::shared_ptr<lm::TokenCode> begin_code(std::span<const std::uint8_t> code,
                                            const coder::Decoder::State& state) override;

  void learn(std::span<const Row> rows) override;
  void embed(std::span<const Row> rows) override;
  void attention_norm(int layer) override;
  void project(int layer) override;
  void rotate_and_store(int layer) override;
  void attend(int layer) override;
  void add_attention(int layer) override;
  void ffn_norm(int layer) override;
  void feed_forward(int layer) override;
  void add_feed_forward(int layer) override;
  void output_norm() override;
  void head(std::size_t first, std::size_t count) override;
  void give_logits(std::size_t first, std::size_t count, const RowSink& sink) override;
  void give_answers(std::size_t first, std::size_t count, const RowSink& sink,
                    Questions& questions) override;

 private:
  struct Turns;
  struct Staging;
  struct Workspace;

  void place_rows();
  void turn(std::size_t r);
  void upload_batch();
  std::int32_t attention_span(int layer) const;
  std::size_t attention_room(int layer) const;
  void reserve_room();
  Pages pages(int layer) const;
  void norm(const float* weight);
  void product(std::span<const Matrix> parts, const Activations& input, std::size_t rows,
               float* out, std::size_t stride, bool add);
  void add_to_stream(const Matrix& matrix, const Activations& input, const float* bias,
                     const float* post_norm);

  Queue queue_;
  Steps steps_;
  std::shared_ptr<const DeviceModel> model_;
  const weights::ModelSpec& spec_;
  ThreadPool::Client& pool_;
  const int window_;
  const int ring_;  // segments of a lane
  KvLayout layout_;
  PagePool kv_;
  std::vector<RotaryTable> rotary_;
  std::vector<std::unique_ptr<LanePages>> lanes_;  // null while closed
  std::span<const Row> rows_;                      // of the batch
  std::size_t tables_ = 0;                         // of the batch
  std::uint64_t farthest_ = 0;                     // position of the batch
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<Workspace> work_;
  std::unique_ptr<Answers> answers_;
};

}  // namespace smll::exact::cuda
