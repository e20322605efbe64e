#include "lm/exact/attention_gradient.h"

#include <algorithm>
#include <cfloat>

namespace smll::exact {

Rotations::Rotations(int head_dim)
    : cos(kStepRows * head_dim), sin(cos.size()), back_sin(cos.size()), head_dim_(head_dim) {}

void Rotations::fill(const RotaryTable& table, std::uint64_t first_position,
                     std::uint64_t farthest) {
  for (int t = 0; t < kStepRows; ++t) {
    table.fill(std::min(first_position + t, farthest), head_dim_, cos.data() + t * head_dim_,
               sin.data() + t * head_dim_);
  }
  std::ranges::transform(sin, back_sin.begin(), [](float s) { return -s; });
}

AttentionGradient::AttentionGradient(const Kernels& kernels, int head_dim)
    : kernels_(kernels),
      head_dim_(head_dim),
      here_{std::vector<float>(kStepRows * head_dim), std::vector<float>(kStepRows * head_dim)},
      first_(here_),
      gradient_(kStepRows * head_dim),
      along_(kStepRows),
      keys_(kStepRows * head_dim),
      key_columns_(keys_.size()),
      value_columns_(keys_.size()),
      weights_(kStepRows * kStepRows),
      slopes_(weights_.size()) {}

void AttentionGradient::run(const AttentionGradientTask& task) {
  gather(task);
  load_first(task);
  score(first_);
  for (int t = 0; t < kStepRows; ++t) {
    const int seen = task.window.sees_first(task.first_position + t) ? 1 : 0;
    std::fill_n(weights_.data() + t * columns_ + seen, columns_ - seen, -FLT_MAX);
  }
  differentiate(task);
  add_query_gradient(first_);
  const std::uint64_t own = task.first_position / kStepRows;
  for (std::uint64_t block = task.window.begin(task.first_position) / kStepRows; block <= own;
       ++block) {
    load_block(task, block);
    score(here_);
    mask(task, block);
    differentiate(task);
    add_query_gradient(here_);
  }
  key_and_value_gradients(task);
  finish(task);
}

void AttentionGradient::gather(const AttentionGradientTask& task) {
  for (int t = 0; t < kStepRows; ++t) {
    const float* from = task.query + t * task.stride;
    for (auto [queries, rotations] :
         {std::pair(&here_, task.here), std::pair(&first_, task.from_first)}) {
      const int row = t * head_dim_;
      float* rotated = queries->rotated.data() + row;
      std::copy_n(from, head_dim_, rotated);
      kernels_.rotate(rotated, rotations->cos.data() + row, rotations->sin.data() + row, head_dim_);
    }
    const float* gradient = task.gradient + t * task.stride;
    const float* attended = task.attended + t * task.stride;
    std::copy_n(gradient, head_dim_, gradient_.data() + t * head_dim_);
    float along = 0.0f;
    for (int i = 0; i < head_dim_; ++i) along += gradient[i] * attended[i];
    along_[t] = along;
  }
  std::ranges::fill(here_.gradient, 0.0f);
  std::ranges::fill(first_.gradient, 0.0f);
}

// Position 0 as the first of as few columns as kernels take; the others are masked.
void AttentionGradient::load_first(const AttentionGradientTask& task) {
  columns_ = kTile;
  std::fill_n(keys_.data(), columns_ * head_dim_, 0.0f);
  std::fill_n(key_columns_.data(), columns_ * head_dim_, 0.0f);
  std::fill_n(value_columns_.data(), columns_ * head_dim_, 0.0f);
  float value[512];
  task.cache->read_first(task.part, keys_.data(), value);
  for (int i = 0; i < head_dim_; ++i) {
    key_columns_[i * columns_] = keys_[i];
    value_columns_[i * columns_] = value[i];
  }
}

void AttentionGradient::load_block(const AttentionGradientTask& task, std::uint64_t block) {
  columns_ = kStepRows;
  float value[512];
  for (int j = 0; j < columns_; ++j) {
    float* key = keys_.data() + j * head_dim_;
    task.cache->read(block * kStepRows + j, task.part, key, value);
    for (int i = 0; i < head_dim_; ++i) {
      key_columns_[i * columns_ + j] = key[i];
      value_columns_[i * columns_ + j] = value[i];
    }
  }
}

// weights = scores, slopes = the gradient of the softmax's results.
void AttentionGradient::score(const Queries& queries) {
  const auto d = static_cast<std::size_t>(head_dim_);
  const auto columns = static_cast<std::size_t>(columns_);
  kernels_.multiply({queries.rotated.data(), d, 1, key_columns_.data(), columns, weights_.data(),
                     columns, kStepRows, head_dim_, columns_, false});
  kernels_.multiply({gradient_.data(), d, 1, value_columns_.data(), columns, slopes_.data(),
                     columns, kStepRows, head_dim_, columns_, false});
}

// Keys of a block that a query does not attend to.
void AttentionGradient::mask(const AttentionGradientTask& task, std::uint64_t block) {
  const std::uint64_t start = block * kStepRows, end = start + kStepRows;
  for (int t = 0; t < kStepRows; ++t) {
    const std::uint64_t position = task.first_position + t;
    const std::uint64_t from = std::clamp(task.window.begin(position), start, end);
    const std::uint64_t to = std::clamp(position + 1, from, end);
    float* scores = weights_.data() + t * columns_;
    std::fill(scores, scores + (from - start), -FLT_MAX);
    std::fill(scores + (to - start), scores + columns_, -FLT_MAX);
  }
}

// weights = softmax, slopes = the gradient of the scores.
void AttentionGradient::differentiate(const AttentionGradientTask& task) {
  for (int t = 0; t < kStepRows; ++t) {
    const float* softmax = task.softmax + t * task.softmax_stride;
    const std::size_t row = static_cast<std::size_t>(t) * columns_;
    kernels_.softmax_gradient({weights_.data() + row, slopes_.data() + row,
                               static_cast<std::size_t>(columns_), softmax[0], softmax[1],
                               along_[t]});
  }
}

void AttentionGradient::add_query_gradient(Queries& queries) {
  const auto d = static_cast<std::size_t>(head_dim_);
  kernels_.multiply({slopes_.data(), static_cast<std::size_t>(columns_), 1, keys_.data(), d,
                     queries.gradient.data(), d, kStepRows, columns_, head_dim_, true});
}

// Of the step's own positions, whose block is the one at hand.
void AttentionGradient::key_and_value_gradients(const AttentionGradientTask& task) {
  const auto d = static_cast<std::size_t>(head_dim_);
  kernels_.multiply({weights_.data(), 1, kStepRows, gradient_.data(), d, task.value_gradient, d,
                     kStepRows, kStepRows, head_dim_, false});
  kernels_.multiply({slopes_.data(), 1, kStepRows, here_.rotated.data(), d, task.key_gradient, d,
                     kStepRows, kStepRows, head_dim_, false});
}

// Turns the gradients back to what they were before scaling and rotating.
void AttentionGradient::finish(const AttentionGradientTask& task) {
  for (int t = 0; t < kStepRows; ++t) {
    const int row = t * head_dim_;
    const auto turn_back = [&](float* x, const Rotations& rotations) {
      kernels_.rotate(x, rotations.cos.data() + row, rotations.back_sin.data() + row, head_dim_);
    };
    float* here = here_.gradient.data() + row;
    float* first = first_.gradient.data() + row;
    turn_back(here, *task.here);
    turn_back(first, *task.from_first);
    turn_back(task.key_gradient + row, *task.here);
    float* out = task.query_gradient + t * task.stride;
    for (int i = 0; i < head_dim_; ++i) out[i] = (here[i] + first[i]) * task.scale;
  }
}

}  // namespace smll::exact
