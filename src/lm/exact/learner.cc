#include "lm/exact/learner.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lm/exact/block_matrix.h"

namespace smll::exact {

using weights::LayerMatrices;
using weights::PackedMatrix;

namespace {

// Found on English, markup and addresses alike (docs/design/mixing.md). The first steps are longer:
// the n-th by 1 + kHaste / sqrt(n).
constexpr float kRate = 3e-5f;
constexpr float kHaste = 6.0f;
// Where a step is measured by the weights: kRate for matrices whose root mean square is so much.
constexpr float kUsualSize = 0.19f;
constexpr float kKeep = 0.99f;
constexpr float kEpsilon = 1e-6f;
// Outputs of the head whose weights are unpacked at once: they stay in the second-level cache.
constexpr int kHeadStrip = 128;
// Columns of a product that one task computes.
constexpr int kTaskColumns = 64;

}  // namespace

// A matrix of [outputs][inputs] weights that learn, and its packed form for the engine.
struct Learner::Matrix {
  int outputs, inputs;
  std::vector<float> weights, squares;
  float rate = 1.0f;  // of a step, in the model's
  PackedMatrix& packed;
  std::unique_ptr<BlockMatrix> blocks;  // where they learn, not the weights

  Matrix(const PackedMatrix& from, PackedMatrix& to, bool by_blocks)
      : outputs(from.outputs),
        inputs(from.blocks * kBlock),
        weights(static_cast<std::size_t>(from.tiles) * kTile * inputs),
        squares(by_blocks ? 0 : weights.size()),
        packed(to) {
    if (by_blocks) {
      blocks = std::make_unique<BlockMatrix>(from, to);
    } else {
      packed = PackedMatrix(weights::Format::kS8, inputs, outputs);
    }
  }
};

struct Learner::Learning {
  LayerMatrices packed;
  Matrix query, key, value, output, gate, up, down;

  Learning(const LayerMatrices& from, bool by_blocks)
      : query(from.query, packed.query, by_blocks),
        key(from.key, packed.key, by_blocks),
        value(from.value, packed.value, by_blocks),
        output(from.output, packed.output, by_blocks),
        gate(from.gate, packed.gate, by_blocks),
        up(from.up, packed.up, by_blocks),
        down(from.down, packed.down, by_blocks) {}
};

struct Learner::Layer {
  const weights::Layer& original;
  std::unique_ptr<Learning> learning;  // from the first step on
  // [kStep] rows each, of a Trace.
  std::vector<float> attention_input, query, softmax, attended, ffn_input, gate, up;
  std::vector<float> raw_query, raw_key, attention_branch, ffn_branch;  // where there are norms

  Layer(const weights::Layer& from, const weights::ModelSpec& h)
      : original(from),
        attention_input(kStep * h.width),
        query(kStep * h.heads * h.head_dim),
        softmax(kStep * h.heads * 2),
        attended(query.size()),
        ffn_input(kStep * h.width),
        gate(kStep * h.ffn_width),
        up(gate.size()),
        raw_query(h.query_key_norms ? query.size() : 0),
        raw_key(h.query_key_norms ? kStep * h.key_width() : 0),
        attention_branch(h.post_norms ? attention_input.size() : 0),
        ffn_branch(attention_branch.size()) {}
};

struct Learner::Scratch {
  std::vector<float> gradient;  // of a tile's outputs
  std::vector<float> strip;     // of the head
  std::vector<std::uint32_t> frequencies;
  ActivationBuffer quantized;
  std::vector<weights::S8Block> blocks;
  AttentionGradient attention;
};

Learner::Learner(std::shared_ptr<const weights::Weights> model, const Context& context)
    : model_(std::move(model)),
      context_(context),
      spec_(model_->spec()),
      width_(spec_.width),
      query_width_(static_cast<std::size_t>(spec_.heads) * spec_.head_dim),
      key_width_(static_cast<std::size_t>(spec_.kv_heads) * spec_.head_dim),
      ffn_width_(spec_.ffn_width),
      logit_stride_(static_cast<std::size_t>(model_->head().tiles) * kTile),
      first_layer_(context.plan.all_layers ? 0 : static_cast<int>(spec_.layers.size()) / 2),
      turns_(spec_.rotations.size() + 1, {Rotations(spec_.head_dim), Rotations(spec_.head_dim)}),
      output_(kStep * width_),
      logits_(kStep * logit_stride_),
      targets_(kStep),
      stream_gradient_(kStep * width_),
      branch_gradient_(kStep * width_),
      branch_scratch_(kStep * width_),
      normed_(kStep * width_),
      normed_gradient_(kStep * width_),
      product_(kStep * ffn_width_),
      product_gradient_(kStep * ffn_width_),
      attended_gradient_(kStep * query_width_),
      query_gradient_(kStep * query_width_),
      key_gradient_(kStep * key_width_),
      value_gradient_(kStep * key_width_),
      head_key_gradients_(kStep * query_width_),
      head_value_gradients_(kStep * query_width_) {
  const std::size_t longest = std::max({width_, query_width_, ffn_width_});
  for (int i = 0; i < context_.pool.threads(); ++i) {
    scratch_.push_back({std::vector<float>(kTile * longest),
                        std::vector<float>(kHeadStrip * kTaskColumns),
                        std::vector<std::uint32_t>(logit_stride_), ActivationBuffer(1, longest),
                        std::vector<weights::S8Block>(longest / kBlock),
                        AttentionGradient(context_.kernels, spec_.head_dim)});
  }
  for (int i = first_layer_; i < static_cast<int>(spec_.layers.size()); ++i) {
    layers_.push_back(std::make_unique<Layer>(model_->layers()[i], spec_));
  }
}

Learner::~Learner() = default;

std::uint64_t Learner::memory(const weights::Weights& model, int threads) {
  const weights::ModelSpec& h = model.spec();
  std::uint64_t weights = 0;
  for (std::size_t i = h.layers.size() / 2; i < h.layers.size(); ++i) {
    const LayerMatrices& m = model.layers()[i].matrices;
    for (const PackedMatrix* matrix :
         {&m.query, &m.key, &m.value, &m.output, &m.gate, &m.up, &m.down}) {
      weights += static_cast<std::uint64_t>(matrix->tiles) * kTile * matrix->blocks * kBlock;
    }
  }
  // Each as a float, with the mean of its gradients' squares, and packed.
  const std::uint64_t learned =
      weights * (2 * sizeof(float)) + weights / (kTile * kBlock) * kS8BlockBytes;
  const auto row =
      static_cast<std::uint64_t>(3 * h.width + 3 * h.heads * h.head_dim + 3 * h.ffn_width);
  const auto logits = static_cast<std::uint64_t>(model.head().tiles) * kTile;
  const std::uint64_t rows =
      kStep * sizeof(float) * (row * static_cast<std::uint64_t>(h.layers.size()) + logits);
  const auto scratch = sizeof(float) * (kTile * static_cast<std::uint64_t>(h.ffn_width + h.width) +
                                        kHeadStrip * kTaskColumns + logits);
  return learned + rows + scratch * static_cast<std::uint64_t>(threads);
}

// Added up output by output, in their order.
float Learner::root_mean_square(const Matrix& matrix) {
  const auto inputs = static_cast<std::size_t>(matrix.inputs);
  std::vector<double> sums(static_cast<std::size_t>(matrix.outputs));
  context_.pool.run(sums.size(), [&](std::size_t o, int) {
    const float* weights = matrix.weights.data() + o * inputs;
    double sum = 0.0;
    for (std::size_t i = 0; i < inputs; ++i) {
      sum += static_cast<double>(weights[i]) * static_cast<double>(weights[i]);
    }
    sums[o] = sum;
  });
  double sum = 0.0;
  for (const double of_output : sums) sum += of_output;
  return static_cast<float>(std::sqrt(sum / static_cast<double>(sums.size() * inputs)));
}

// Not before it is needed: short texts do without.
void Learner::start(Layer& layer) {
  const LayerMatrices& from = layer.original.matrices;
  layer.learning = std::make_unique<Learning>(from, context_.plan.by_blocks);
  Learning& to = *layer.learning;
  const auto unpack = [&](const PackedMatrix& source, Matrix& matrix) {
    context_.pool.run(source.outputs, [&](std::size_t o, int) {
      weights::unpack(source, static_cast<int>(o), 0, source.blocks,
                      matrix.weights.data() + o * matrix.inputs);
    });
    if (spec_.rate_by_weights) matrix.rate = root_mean_square(matrix) / kUsualSize;
  };
  unpack(from.query, to.query);
  unpack(from.key, to.key);
  unpack(from.value, to.value);
  unpack(from.output, to.output);
  unpack(from.gate, to.gate);
  unpack(from.up, to.up);
  unpack(from.down, to.down);
}

const LayerMatrices& Learner::matrices(int layer) const {
  const Layer& from = *layers_[layer - first_layer_];
  return from.learning ? from.learning->packed : from.original.matrices;
}

Learner::Trace Learner::trace(int layer, std::uint64_t position) {
  Layer& to = *layers_[layer - first_layer_];
  const std::size_t row = position % kStep;
  const auto in = [row](std::vector<float>& rows, std::size_t width) {
    return rows.empty() ? nullptr : rows.data() + row * width;
  };
  return {in(to.attention_input, width_),
          in(to.query, query_width_),
          in(to.raw_query, query_width_),
          in(to.raw_key, key_width_),
          in(to.softmax, 2 * static_cast<std::size_t>(spec_.heads)),
          in(to.attended, query_width_),
          in(to.ffn_input, width_),
          in(to.gate, ffn_width_),
          in(to.up, ffn_width_),
          in(to.attention_branch, width_),
          in(to.ffn_branch, width_)};
}

float* Learner::output(std::uint64_t position) {
  return output_.data() + position % kStep * width_;
}

float* Learner::logits(std::uint64_t position) {
  return logits_.data() + position % kStep * logit_stride_;
}

void Learner::see(std::uint64_t position, Token token) {
  if (position <= context_.begin) return;
  targets_[(position - 1) % kStep] = model_->row_of(token);
  if (position % kStep == 0 && position >= context_.begin + kStep) learn(position - kStep);
}

void Learner::learn(std::uint64_t first_position) {
  ++steps_;
  power_ *= kKeep;
  rate_ = rate();
  fill_turns(first_position);
  logit_gradients();
  head_gradient();
  std::ranges::fill(stream_gradient_, 0.0f);
  norm_gradient(output_.data(), model_->output_norm());
  for (std::size_t i = layers_.size(); i-- > 0;) {
    if (!layers_[i]->learning) start(*layers_[i]);
    learn_ffn(*layers_[i]);
    learn_attention(i, first_position);
  }
}

float Learner::rate() const {
  const LearningPlan& plan = context_.plan;
  const auto step = static_cast<float>(steps_);
  if (plan.rate == 0.0f) return kRate * (1.0f + kHaste / std::sqrt(step));
  if (plan.steps == 0) return plan.rate;
  return plan.rate * std::max(0.0f, 1.0f - (step - 1.0f) / static_cast<float>(plan.steps));
}

void Learner::fill_turns(std::uint64_t first_position) {
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    const RotaryTable table =
        i < context_.rotary.size() ? context_.rotary[i] : RotaryTable(weights::Rotation{});
    turns_[i].here.fill(table, first_position, first_position + kStep);
    turns_[i].from_first.fill(table, first_position, context_.window - 1);
  }
}

// Logits become (probability - 1 where it is the target) / kStep.
void Learner::logit_gradients() {
  const std::size_t rows = model_->head().outputs;
  context_.pool.run(kStep, [&](std::size_t t, int thread) {
    float* logits = logits_.data() + t * logit_stride_;
    std::uint32_t* frequencies = scratch_[thread].frequencies.data();
    context_.kernels.frequencies(logits, rows, frequencies);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < rows; ++i) total += frequencies[i];
    constexpr float kShare = 1.0f / kStep;
    const float factor = kShare / static_cast<float>(total);
    const std::int32_t target = targets_[t];
    const float cap = spec_.logit_cap;
    for (std::size_t i = 0; i < rows; ++i) {
      float gradient = static_cast<float>(frequencies[i]) * factor;
      if (static_cast<std::int32_t>(i) == target) gradient -= kShare;
      const float bend = cap == 0.0f ? 0.0f : logits[i] / cap;
      logits[i] = gradient * (1.0f - bend * bend);
    }
    if (spec_.logit_scale != 1.0f) context_.kernels.scale(logits, spec_.logit_scale, logit_stride_);
  });
}

// The gradient of the head's input, from that of the logits.
void Learner::head_gradient() {
  const PackedMatrix& head = model_->head();
  const std::size_t tasks = (width_ + kTaskColumns - 1) / kTaskColumns;
  context_.pool.run(tasks, [&](std::size_t task, int thread) {
    const std::size_t column = task * kTaskColumns;
    const auto columns = static_cast<int>(std::min<std::size_t>(kTaskColumns, width_ - column));
    float* strip = scratch_[thread].strip.data();
    MultiplyArgs args = {};
    args.a_row = logit_stride_;
    args.a_inner = 1;
    args.b = strip;
    args.b_stride = kTaskColumns;
    args.c = normed_gradient_.data() + column;
    args.c_stride = width_;
    args.rows = kStep;
    args.columns = columns;
    for (int first = 0; first < head.outputs; first += kHeadStrip) {
      args.inner = std::min(kHeadStrip, head.outputs - first);
      for (int i = 0; i < args.inner; ++i) {
        weights::unpack(head, first + i, static_cast<int>(column) / kBlock, columns / kBlock,
                        strip + static_cast<std::size_t>(i) * kTaskColumns);
      }
      args.a = logits_.data() + first;
      args.add = first > 0;
      context_.kernels.multiply(args);
    }
  });
}

// Of a part's product, which is normed and scaled as it is added to the stream.
const float* Learner::branch_gradient(const float* branch, const std::vector<float>& post_norm) {
  const bool scaled = spec_.residual_scale != 1.0f;
  if (!scaled && post_norm.empty()) return stream_gradient_.data();
  branch_gradient_ = stream_gradient_;
  context_.pool.run(kStep, [&](std::size_t t, int) {
    const std::size_t row = t * width_;
    float* gradient = branch_gradient_.data() + row;
    if (scaled) context_.kernels.scale(gradient, spec_.residual_scale, width_);
    if (post_norm.empty()) return;
    float* before = branch_scratch_.data() + row;
    std::fill_n(before, width_, 0.0f);
    context_.kernels.rms_norm_gradient(
        {branch + row, post_norm.data(), gradient, spec_.rms_epsilon, width_, before});
    std::copy_n(before, width_, gradient);
  });
  return branch_gradient_.data();
}

// From the gradients of queries and keys to those of what was normed to them.
void Learner::pass_head_norms(const Layer& layer) {
  if (!spec_.query_key_norms) return;
  pass_head_norm(layer.raw_query, layer.original.query_norm, query_gradient_);
  pass_head_norm(layer.raw_key, layer.original.key_norm, key_gradient_);
}

void Learner::pass_head_norm(const std::vector<float>& raw, const std::vector<float>& weight,
                             std::vector<float>& gradient) {
  const auto d = static_cast<std::size_t>(spec_.head_dim);
  context_.pool.run(raw.size() / d, [&](std::size_t head, int) {
    float before[512] = {};  // the largest head
    float* of_head = gradient.data() + head * d;
    context_.kernels.rms_norm_gradient(
        {raw.data() + head * d, weight.data(), of_head, spec_.rms_epsilon, d, before});
    std::copy_n(before, d, of_head);
  });
}

void Learner::norm(const float* x, const std::vector<float>& weight) {
  context_.pool.run(kStep, [&](std::size_t t, int) {
    const std::size_t row = t * width_;
    context_.kernels.rms_norm(x + row, weight.data(), spec_.rms_epsilon, width_,
                              normed_.data() + row);
  });
}

// Adds to the stream's gradient what comes through a norm of `x`.
void Learner::norm_gradient(const float* x, const std::vector<float>& weight) {
  context_.pool.run(kStep, [&](std::size_t t, int) {
    const std::size_t row = t * width_;
    context_.kernels.rms_norm_gradient({x + row, weight.data(), normed_gradient_.data() + row,
                                        spec_.rms_epsilon, width_, stream_gradient_.data() + row});
  });
}

void Learner::learn_ffn(Layer& layer) {
  Learning& learning = *layer.learning;
  const std::vector<float>& weight = layer.original.ffn_norm;
  float* gates = layer.gate.data();
  float* ups = layer.up.data();
  const Kernels& kernels = context_.kernels;
  const bool gelu = spec_.activation == weights::Activation::kGelu;
  norm(layer.ffn_input.data(), weight);
  context_.pool.run(kStep, [&](std::size_t t, int) {
    float* product = product_.data() + t * ffn_width_;
    std::copy_n(gates + t * ffn_width_, ffn_width_, product);
    (gelu ? kernels.gelu_mul : kernels.silu_mul)(product, ups + t * ffn_width_, ffn_width_);
  });
  const int width = static_cast<int>(width_);
  const int ffn_width = static_cast<int>(ffn_width_);
  const float* gradient = branch_gradient(layer.ffn_branch.data(), layer.original.ffn_post_norm);
  multiply({gradient, width_, 1, learning.down.weights.data(), ffn_width_, product_gradient_.data(),
            ffn_width_, kStep, width, ffn_width, false});
  step(learning.down, gradient, width_, product_.data());
  context_.pool.run(kStep, [&](std::size_t t, int) {
    const std::size_t row = t * ffn_width_;
    (gelu ? kernels.gelu_gradient : kernels.silu_gradient)(
        gates + row, ups + row, product_gradient_.data() + row, ffn_width_);
  });
  multiply({gates, ffn_width_, 1, learning.gate.weights.data(), width_, normed_gradient_.data(),
            width_, kStep, ffn_width, width, false});
  multiply({ups, ffn_width_, 1, learning.up.weights.data(), width_, normed_gradient_.data(), width_,
            kStep, ffn_width, width, true});
  step(learning.gate, gates, ffn_width_, normed_.data());
  step(learning.up, ups, ffn_width_, normed_.data());
  norm_gradient(layer.ffn_input.data(), weight);
}

void Learner::learn_attention(std::size_t index, std::uint64_t first_position) {
  Layer& layer = *layers_[index];
  Learning& learning = *layer.learning;
  const std::vector<float>& weight = layer.original.attention_norm;
  const int width = static_cast<int>(width_);
  const int query_width = static_cast<int>(query_width_);
  const int key_width = static_cast<int>(key_width_);
  norm(layer.attention_input.data(), weight);
  const float* gradient =
      branch_gradient(layer.attention_branch.data(), layer.original.attention_post_norm);
  multiply({gradient, width_, 1, learning.output.weights.data(), query_width_,
            attended_gradient_.data(), query_width_, kStep, width, query_width, false});
  step(learning.output, gradient, width_, layer.attended.data());
  attention_gradients(layer, first_layer_ + static_cast<int>(index), first_position);
  pass_head_norms(layer);
  multiply({query_gradient_.data(), query_width_, 1, learning.query.weights.data(), width_,
            normed_gradient_.data(), width_, kStep, query_width, width, false});
  multiply({key_gradient_.data(), key_width_, 1, learning.key.weights.data(), width_,
            normed_gradient_.data(), width_, kStep, key_width, width, true});
  multiply({value_gradient_.data(), key_width_, 1, learning.value.weights.data(), width_,
            normed_gradient_.data(), width_, kStep, key_width, width, true});
  step(learning.query, query_gradient_.data(), query_width_, normed_.data());
  step(learning.key, key_gradient_.data(), key_width_, normed_.data());
  step(learning.value, value_gradient_.data(), key_width_, normed_.data());
  norm_gradient(layer.attention_input.data(), weight);
}

// Of queries, keys and values, from that of attention's results.
void Learner::attention_gradients(const Layer& layer, int index, std::uint64_t first_position) {
  const auto d = static_cast<std::size_t>(spec_.head_dim);
  const std::size_t heads = spec_.heads;
  const std::size_t group = heads / spec_.kv_heads;
  const int rotation = spec_.layers[index].rotation;
  const Turns& turns =
      rotation == weights::LayerSpec::kNotRotated ? turns_.back() : turns_[rotation];
  context_.pool.run(heads, [&](std::size_t head, int thread) {
    const std::size_t at = head * d;
    scratch_[thread].attention.run(
        {&context_.cache, index * spec_.kv_heads + static_cast<int>(head / group), first_position,
         window_of(spec_.layers[index], context_.window), spec_.attention_scale, &turns.here,
         &turns.from_first, layer.query.data() + at, layer.attended.data() + at,
         attended_gradient_.data() + at, query_width_, layer.softmax.data() + 2 * head, 2 * heads,
         query_gradient_.data() + at, head_key_gradients_.data() + at * kStep,
         head_value_gradients_.data() + at * kStep});
  });
  // A key's is the sum over the heads that share it.
  const auto add_up = [&](const std::vector<float>& by_head, std::size_t t, float* out) {
    for (std::size_t i = 0; i < key_width_; ++i) {
      const float* from = by_head.data() + (i / d * group * kStep + t) * d + i % d;
      out[i] = from[0];
      for (std::size_t g = 1; g < group; ++g) out[i] += from[g * kStep * d];
    }
  };
  context_.pool.run(kStep, [&](std::size_t t, int) {
    add_up(head_key_gradients_, t, key_gradient_.data() + t * key_width_);
    add_up(head_value_gradients_, t, value_gradient_.data() + t * key_width_);
  });
}

// All columns, shared by the threads.
void Learner::multiply(MultiplyArgs args) {
  const int columns = args.columns;
  context_.pool.run((columns + kTaskColumns - 1) / kTaskColumns, [&](std::size_t task, int) {
    const int column = static_cast<int>(task) * kTaskColumns;
    MultiplyArgs part = args;
    part.b += column;
    part.c += column;
    part.columns = std::min(kTaskColumns, columns - column);
    context_.kernels.multiply(part);
  });
}

// One step of a matrix, given its outputs' gradient (rows of `stride`) and its inputs.
void Learner::step(Matrix& matrix, const float* gradient, std::size_t stride, const float* input) {
  const float correction = 1.0f / (1.0f - power_);
  const auto inputs = static_cast<std::size_t>(matrix.inputs);
  context_.pool.run(matrix.packed.tiles, [&](std::size_t tile, int thread) {
    Scratch& scratch = scratch_[thread];
    const int first = static_cast<int>(tile) * kTile;
    const int outputs = std::min(kTile, matrix.outputs - first);
    context_.kernels.multiply({gradient + first, 1, stride, input, inputs, scratch.gradient.data(),
                               inputs, outputs, kStep, matrix.inputs, false});
    const std::size_t at = first * inputs;
    if (matrix.blocks) {
      matrix.blocks->step(static_cast<int>(tile), scratch.gradient.data(),
                          {context_.kernels, kKeep, rate_ * matrix.rate, correction, kEpsilon},
                          matrix.weights.data() + at);
      return;
    }
    context_.kernels.rms_step({scratch.gradient.data(), matrix.weights.data() + at,
                               matrix.squares.data() + at, outputs * inputs, kKeep,
                               rate_ * matrix.rate, correction, kEpsilon});
    for (int o = 0; o < outputs; ++o) pack(matrix, first + o, scratch);
  });
}

void Learner::pack(Matrix& matrix, int output, Scratch& scratch) {
  const auto inputs = static_cast<std::size_t>(matrix.inputs);
  const Activations quantized = scratch.quantized.view();
  context_.kernels.quantize(matrix.weights.data() + output * inputs, inputs, quantized);
  const std::span<weights::S8Block> blocks(scratch.blocks.data(), inputs / kBlock);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    std::memcpy(blocks[b].q, quantized.q8 + b * kBlock, kBlock);
    blocks[b].scale = quantized.scale[b];
  }
  weights::pack(blocks, output % kTile, matrix.packed.tile(output / kTile));
}

}  // namespace smll::exact
