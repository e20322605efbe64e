#include "lm/exact/cpu_ops.h"

#include <algorithm>
#include <cstring>

#include "base/fp_env.h"
#include "smll/error.h"

namespace smll::exact {

using weights::Activation;
using weights::Layer;
using weights::LayerMatrices;
using weights::LayerSpec;
using weights::ModelSpec;
using weights::PackedMatrix;

namespace {

// Rows of one matmul task, whose activations stay in the second-level cache.
constexpr std::size_t kTaskRows = 64;
// Rows of logits at once.
constexpr std::size_t kHeadRows = 32;
// Outputs of a gate or up matrix that a feed-forward task computes at once.
constexpr int kFfnStep = 64;

// The values of a row of activations.
void expand(const Activations& row, int count, float* out) {
  for (int i = 0; i < count; ++i) out[i] = row.scale[i / kBlock] * static_cast<float>(row.q8[i]);
}

std::size_t round_up(std::size_t x, std::size_t to) { return (x + to - 1) / to * to; }

void add(const float* from, std::size_t n, float* to) {
  for (std::size_t i = 0; i < n; ++i) to[i] += from[i];
}

int cache_parts(const ModelSpec& spec) {
  return static_cast<int>(spec.layers.size()) * spec.kv_heads;
}

}  // namespace

// Consecutive rows of one lane.
struct CpuOps::QueryBlock {
  std::size_t row;
  int count;
};

// What turns vectors of the batch's rows by one rotation, [kMaxRows][head_dim] each: by the row's
// position and, for queries that look at position 0, by the window's width at most.
struct CpuOps::Turns {
  std::vector<float> cos, sin, first_cos, first_sin;
};

struct CpuOps::Workspace {
  std::size_t qkv_width;
  std::vector<float> stream, normed, qkv, logits;
  std::vector<Turns> turns;
  ActivationBuffer input, query, first_query, attended, ffn;
  struct Thread {
    std::vector<float> gate, up, query;
    ActivationBuffer key;
  };
  std::vector<Thread> threads;

  Workspace(const ModelSpec& spec, std::size_t head_rows, int thread_count)
      : qkv_width(
            round_up(static_cast<std::size_t>(spec.query_width() + 2 * spec.key_width()), kTile)),
        stream(kMaxRows * round_up(spec.width, kTile)),
        normed(kMaxRows * spec.width),
        qkv(kMaxRows * qkv_width),
        logits(kHeadRows * round_up(head_rows, kTile)),
        input(kMaxRows, spec.width),
        query(kMaxRows, spec.query_width()),
        first_query(kMaxRows, spec.query_width()),
        attended(kMaxRows, spec.query_width()),
        ffn(kMaxRows, spec.ffn_width) {
    const std::vector<float> turn(kMaxRows * spec.head_dim);
    turns.assign(spec.rotations.size(), {turn, turn, turn, turn});
    for (int i = 0; i < thread_count; ++i) {
      threads.push_back(
          {std::vector<float>(kTaskRows * kFfnStep), std::vector<float>(kTaskRows * kFfnStep),
           std::vector<float>(spec.query_width()), ActivationBuffer(1, spec.head_dim)});
    }
  }
};

CpuOps::CpuOps(std::shared_ptr<const weights::Weights> model, const Options& options)
    : model_(std::move(model)),
      spec_(model_->spec()),
      kernels_(options.kernels),
      pool_(options.pool),
      window_(options.window),
      learns_(options.learns),
      plan_(options.plan),
      layout_(spec_.head_dim),
      kv_(layout_, cache_parts(spec_)),
      work_(std::make_unique<Workspace>(spec_, model_->head().outputs, pool_.threads())) {
  for (const weights::Rotation& rotation : spec_.rotations) rotary_.emplace_back(rotation);
  for (int i = 0; i < pool_.threads(); ++i) {
    attention_.emplace_back(kernels_, layout_, spec_.heads / spec_.kv_heads, window_);
  }
}

CpuOps::~CpuOps() = default;

std::size_t CpuOps::head_rows() const { return kHeadRows; }

std::uint64_t CpuOps::context_memory(const weights::Weights& model, int window,
                                     std::size_t tokens) {
  const ModelSpec& spec = model.spec();
  return KvCache::memory(KvLayout(spec.head_dim), cache_parts(spec),
                         std::min<std::uint64_t>(tokens + 1, window + kMaxRows));
}

std::uint64_t CpuOps::memory(const weights::Weights& model, int window, bool learns, int threads,
                             int count) {
  const ModelSpec& spec = model.spec();
  std::uint64_t bytes =
      Attention::memory(KvLayout(spec.head_dim), spec.heads / spec.kv_heads, window) *
      static_cast<std::uint64_t>(threads + count);
  // A row of a workspace: at most three floats for each of what it computes, and the logits.
  const auto turns = 4 * static_cast<int>(spec.rotations.size()) * spec.head_dim;
  const auto row = static_cast<std::uint64_t>(spec.width + spec.query_width() +
                                              2 * spec.key_width() + spec.ffn_width + turns);
  const auto logits = static_cast<std::uint64_t>(model.head().tiles) * kTile;
  bytes +=
      static_cast<std::uint64_t>(count) * sizeof(float) * (3 * kMaxRows * row + kHeadRows * logits);
  if (learns) bytes += Learner::memory(model, threads) * static_cast<std::uint64_t>(count);
  return bytes;
}

void CpuOps::open_lane(int lane, std::shared_ptr<const lm::KeptContext> begin) {
  auto prefix = std::dynamic_pointer_cast<const KvPrefix>(begin);
  const std::uint64_t positions = begin ? begin->positions() : 0;
  if ((begin && !prefix) || (prefix && !prefix->is_of(*model_)) ||
      positions > static_cast<std::uint64_t>(window_)) {
    throw Error(ErrorKind::kUsage, "a lane cannot begin with another model's context");
  }
  // A batch writes all its positions before any of its queries reads: hence the room for one more.
  auto cache =
      std::make_unique<KvCache>(kv_, window_ + static_cast<int>(kMaxRows), std::move(prefix));
  if (learns_) {
    const FpEnv environment;
    learner_ = std::make_unique<Learner>(
        model_, Learner::Context{kernels_, pool_, *cache, rotary_, window_, positions, plan_});
  }
  if (caches_.size() <= static_cast<std::size_t>(lane)) caches_.resize(lane + 1);
  caches_[lane] = std::move(cache);
}

void CpuOps::close_lane(int lane) {
  learner_.reset();
  caches_[lane].reset();
}

std::shared_ptr<const lm::KeptContext> CpuOps::keep_lane(int lane) {
  std::shared_ptr<const lm::KeptContext> kept = caches_[lane]->take_prefix(model_);
  close_lane(lane);
  return kept;
}

void CpuOps::forget(int lane, std::uint64_t first, std::size_t count) {
  caches_[lane]->forget(first, static_cast<int>(count));
}

void CpuOps::learn(std::span<const Row> rows) {
  if (!learner_) return;
  for (const Row& row : rows) learner_->see(row.position, row.token);
}

void CpuOps::embed(std::span<const Row> rows) {
  rows_ = rows;
  prepare_lanes();
  pool_.run(rows.size(), [&](std::size_t r, int) {
    float* stream = work_->stream.data() + r * spec_.width;
    model_->embed(rows[r].token, stream);
    if (spec_.embedding_scale != 1.0f) kernels_.scale(stream, spec_.embedding_scale, spec_.width);
    turn(r);
  });
}

// Room in the caches, and the blocks of queries.
void CpuOps::prepare_lanes() {
  blocks_.clear();
  past_window_ = false;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    past_window_ = past_window_ || rows_[r].position >= static_cast<std::uint64_t>(window_);
    caches_[rows_[r].lane]->reserve(rows_[r].position, 1);
    const bool joins =
        r > 0 && rows_[r].lane == rows_[r - 1].lane && blocks_.back().count < kQueryBlock;
    if (joins) {
      ++blocks_.back().count;
    } else {
      blocks_.push_back({r, 1});
    }
  }
}

// What turns a row's vectors, by each rotation.
void CpuOps::turn(std::size_t r) {
  const int dim = spec_.head_dim;
  const std::size_t at = r * dim;
  const std::uint64_t position = rows_[r].position;
  for (std::size_t i = 0; i < rotary_.size(); ++i) {
    Turns& to = work_->turns[i];
    rotary_[i].fill(position, dim, to.cos.data() + at, to.sin.data() + at);
    if (!past_window_) continue;
    const auto farthest = static_cast<std::uint64_t>(window_) - 1;
    rotary_[i].fill(std::min(position, farthest), dim, to.first_cos.data() + at,
                    to.first_sin.data() + at);
  }
}

void CpuOps::norm(const std::vector<float>& weight) {
  Workspace& w = *work_;
  pool_.run(rows_.size(), [&](std::size_t r, int) {
    float* normed = w.normed.data() + r * spec_.width;
    kernels_.rms_norm(w.stream.data() + r * spec_.width, weight.data(), spec_.rms_epsilon,
                      spec_.width, normed);
    kernels_.quantize(normed, spec_.width, w.input.view().at(r));
  });
}

void CpuOps::attention_norm(int layer) {
  note_stream(layer, &Learner::Trace::attention_input);
  norm(model_->layers()[layer].attention_norm);
}

void CpuOps::ffn_norm(int layer) {
  note_stream(layer, &Learner::Trace::ffn_input);
  norm(model_->layers()[layer].ffn_norm);
}

void CpuOps::output_norm() {
  if (learner_) {
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      std::copy_n(work_->stream.data() + r * spec_.width, spec_.width,
                  learner_->output(rows_[r].position));
    }
  }
  norm(model_->output_norm());
}

// For the learner, where the layer learns.
void CpuOps::note_stream(int layer, float* Learner::Trace::*to) {
  if (!learns(layer)) return;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::copy_n(work_->stream.data() + r * spec_.width, spec_.width,
                learner_->trace(layer, rows_[r].position).*to);
  }
}

void CpuOps::project(int layer) {
  const LayerMatrices& matrices = this->matrices(layer);
  const int key = spec_.query_width();
  const Part parts[] = {
      {&matrices.query, 0}, {&matrices.key, key}, {&matrices.value, key + spec_.key_width()}};
  matmul(parts, work_->input.view(), rows_.size(), work_->qkv.data(), work_->qkv_width, false);
}

void CpuOps::rotate_and_store(int layer) {
  pool_.run(rows_.size(), [&](std::size_t r, int thread) { store_row(layer, r, thread); });
}

void CpuOps::store_row(int layer, std::size_t r, int thread) {
  const Layer& weights = model_->layers()[layer];
  float* query = work_->qkv.data() + r * work_->qkv_width;
  if (!weights.qkv_bias.empty()) add(weights.qkv_bias.data(), weights.qkv_bias.size(), query);
  if (!weights.query_norm.empty()) {
    if (learns(layer)) {
      const Learner::Trace trace = learner_->trace(layer, rows_[r].position);
      std::copy_n(query, spec_.query_width(), trace.raw_query);
      std::copy_n(query + spec_.query_width(), spec_.key_width(), trace.raw_key);
    }
    norm_heads(query, spec_.heads, weights.query_norm);
    norm_heads(query + spec_.query_width(), spec_.kv_heads, weights.key_norm);
  }
  store_queries(layer, r, thread);
  store_keys(layer, r, thread);
}

void CpuOps::norm_heads(float* heads, int count, const std::vector<float>& weight) const {
  for (int head = 0; head < count; ++head) {
    float* x = heads + head * spec_.head_dim;
    kernels_.rms_norm(x, weight.data(), spec_.rms_epsilon, spec_.head_dim, x);
  }
}

// Scales, rotates and quantizes them.
void CpuOps::store_queries(int layer, std::size_t r, int thread) {
  Workspace& w = *work_;
  const int dim = spec_.head_dim;
  const int width = spec_.query_width();
  const int rotation = spec_.layers[layer].rotation;
  float* query = w.qkv.data() + r * w.qkv_width;
  kernels_.scale(query, spec_.attention_scale, width);
  if (learns(layer)) std::copy_n(query, width, learner_->trace(layer, rows_[r].position).query);
  const bool looks_back = past_window_ && window_of(spec_.layers[layer], window_).keeps_first;
  float* first = w.threads[thread].query.data();
  if (looks_back) std::memcpy(first, query, width * sizeof(float));
  if (rotation != LayerSpec::kNotRotated) {
    const Turns& turns = w.turns[rotation];
    const std::size_t at = r * dim;
    for (int head = 0; head < width; head += dim) {
      kernels_.rotate(query + head, turns.cos.data() + at, turns.sin.data() + at, dim);
      if (!looks_back) continue;
      kernels_.rotate(first + head, turns.first_cos.data() + at, turns.first_sin.data() + at, dim);
    }
  }
  kernels_.quantize(query, width, w.query.view().at(r));
  if (looks_back) kernels_.quantize(first, width, w.first_query.view().at(r));
}

// Rotates and quantizes a row's keys, and keeps them and its values.
void CpuOps::store_keys(int layer, std::size_t r, int thread) {
  Workspace& w = *work_;
  const int dim = spec_.head_dim;
  const int rotation = spec_.layers[layer].rotation;
  float* key = w.qkv.data() + r * w.qkv_width + spec_.query_width();
  const float* value = key + spec_.key_width();
  const Row& row = rows_[r];
  const Activations quantized = w.threads[thread].key.view();
  for (int head = 0; head < spec_.kv_heads; ++head, key += dim, value += dim) {
    const int part = layer * spec_.kv_heads + head;
    if (rotation != LayerSpec::kNotRotated) {
      const Turns& turns = w.turns[rotation];
      kernels_.rotate(key, turns.cos.data() + r * dim, turns.sin.data() + r * dim, dim);
    }
    kernels_.quantize(key, dim, quantized);
    KvCache& cache = *caches_[row.lane];
    cache.store_key(row.position, part, quantized.q8, quantized.scale);
    cache.store_value(row.position, part, value);
  }
}

void CpuOps::attend(int layer) {
  Workspace& w = *work_;
  const int group = spec_.heads / spec_.kv_heads;
  const std::size_t tasks = blocks_.size() * spec_.kv_heads;
  const Window window = window_of(spec_.layers[layer], window_);
  const auto place = [&](std::size_t task) -> KvPlace {
    const Row& row = rows_[blocks_[task / spec_.kv_heads].row];
    const int head = static_cast<int>(task % spec_.kv_heads);
    return {caches_[row.lane].get(), layer * spec_.kv_heads + head, row.position};
  };
  const auto ahead = static_cast<std::size_t>(pool_.free_threads());
  pool_.run(tasks, [&](std::size_t task, int thread) {
    const QueryBlock& block = blocks_[task / spec_.kv_heads];
    const int head = static_cast<int>(task % spec_.kv_heads);
    const std::size_t first = static_cast<std::size_t>(head) * group * spec_.head_dim;
    const Activations query = w.query.view().at(block.row, first);
    const bool looks_back = past_window_ && window.keeps_first;
    AttentionTask args = {place(task),
                          block.count,
                          group,
                          window,
                          query,
                          looks_back ? w.first_query.view().at(block.row, first) : query,
                          w.attended.view().at(block.row, first)};
    if (task + ahead < tasks) args.next = place(task + ahead);
    if (learns(layer)) {
      args.softmax = learner_->trace(layer, args.place.position).softmax + 2 * head * group;
      args.softmax_stride = 2 * spec_.heads;
    }
    attention_[thread].run(args);
  });
}

void CpuOps::add_attention(int layer) {
  if (learns(layer)) {
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      expand(work_->attended.view().at(r), spec_.query_width(),
             learner_->trace(layer, rows_[r].position).attended);
    }
  }
  const Layer& weights = model_->layers()[layer];
  add_to_stream(matrices(layer).output, work_->attended.view(), weights.output_bias,
                weights.attention_post_norm, layer, &Learner::Trace::attention_branch);
}

void CpuOps::add_feed_forward(int layer) {
  add_to_stream(matrices(layer).down, work_->ffn.view(), {}, model_->layers()[layer].ffn_post_norm,
                layer, &Learner::Trace::ffn_branch);
}

void CpuOps::add_to_stream(const PackedMatrix& matrix, const Activations& input,
                           const std::vector<float>& bias, const std::vector<float>& post_norm,
                           int layer, float* Learner::Trace::*note) {
  Workspace& w = *work_;
  const Part parts[] = {{&matrix, 0}};
  const std::size_t width = spec_.width;
  const float scale = spec_.residual_scale;
  const bool plain = bias.empty() && post_norm.empty() && scale == 1.0f;
  float* out = plain ? w.stream.data() : w.normed.data();
  matmul(parts, input, rows_.size(), out, width, plain);
  if (plain) return;
  pool_.run(rows_.size(), [&](std::size_t r, int) {
    float* x = w.normed.data() + r * width;
    if (!bias.empty()) add(bias.data(), width, x);
    if (!post_norm.empty() && learns(layer)) {
      std::copy_n(x, width, learner_->trace(layer, rows_[r].position).*note);
    }
    if (!post_norm.empty()) kernels_.rms_norm(x, post_norm.data(), spec_.rms_epsilon, width, x);
    if (scale != 1.0f) kernels_.scale(x, scale, width);
    add(x, width, w.stream.data() + r * width);
  });
}

bool CpuOps::learns(int layer) const { return learner_ && layer >= learner_->first_layer(); }

const LayerMatrices& CpuOps::matrices(int layer) const {
  return learns(layer) ? learner_->matrices(layer) : model_->layers()[layer].matrices;
}

void CpuOps::gemm(const GemmArgs& args, const PackedMatrix& matrix) const {
  (matrix.format == weights::Format::kU4 ? kernels_.gemm_u4 : kernels_.gemm_s8)(args);
}

namespace {

// How many of `units` a task should take so that every thread gets several tasks.
std::size_t units_per_task(std::size_t units, std::size_t row_groups, int threads,
                           std::size_t most) {
  if (threads == 1) return most;
  const std::size_t wanted = static_cast<std::size_t>(threads) * 6;
  return std::clamp<std::size_t>(units * row_groups / wanted, 1, most);
}

}  // namespace

void CpuOps::matmul(std::span<const Part> parts, const Activations& input, std::size_t rows,
                    float* out, std::size_t stride, bool add) {
  std::size_t tiles = 0;
  for (const Part& part : parts) tiles += part.matrix->tiles;
  const std::size_t row_groups = (rows + kTaskRows - 1) / kTaskRows;
  const std::size_t step = units_per_task(tiles, row_groups, pool_.free_threads(), 32);
  const std::size_t groups = (tiles + step - 1) / step;
  pool_.run(groups * row_groups, [&](std::size_t task, int) {
    const std::size_t row = task % row_groups * kTaskRows;
    std::size_t first = task / row_groups * step;
    std::size_t left = std::min(step, tiles - first);
    GemmArgs args = {};
    args.input = input.at(row);
    args.rows = static_cast<int>(std::min(kTaskRows, rows - row));
    args.out_stride = stride;
    args.add = add;
    for (const Part& part : parts) {
      const std::size_t part_tiles = part.matrix->tiles;
      if (first >= part_tiles) {
        first -= part_tiles;
        continue;
      }
      const std::size_t count = std::min(left, part_tiles - first);
      if (count == 0) break;
      args.tiles = part.matrix->data.data() + first * part.matrix->tile_bytes;
      args.tile_bytes = part.matrix->tile_bytes;
      args.tile_count = static_cast<int>(count);
      args.blocks = part.matrix->blocks;
      args.out = out + row * stride + part.column + first * kTile;
      gemm(args, *part.matrix);
      left -= count;
      first = 0;
    }
  });
}

// Gate and up are computed a strip of outputs at a time, so that their product never leaves the
// cache.
void CpuOps::feed_forward(int layer) {
  const LayerMatrices& weights = matrices(layer);
  const bool learns = this->learns(layer);
  Workspace& w = *work_;
  const auto activate =
      spec_.activation == Activation::kGelu ? kernels_.gelu_mul : kernels_.silu_mul;
  const std::size_t units = spec_.ffn_width / kBlock;
  const std::size_t row_groups = (rows_.size() + kTaskRows - 1) / kTaskRows;
  const std::size_t step =
      units_per_task(units, row_groups, pool_.free_threads(), kFfnStep / kBlock);
  const std::size_t groups = (units + step - 1) / step;
  pool_.run(groups * row_groups, [&](std::size_t task, int thread) {
    const std::size_t row = task % row_groups * kTaskRows;
    const std::size_t unit = task / row_groups * step;
    const int outputs = static_cast<int>(std::min(step, units - unit)) * kBlock;
    Workspace::Thread& scratch = w.threads[thread];
    GemmArgs args = {};
    args.input = w.input.view().at(row);
    args.rows = static_cast<int>(std::min(kTaskRows, rows_.size() - row));
    args.out_stride = kFfnStep;
    args.tile_count = outputs / kTile;
    for (const PackedMatrix* matrix : {&weights.gate, &weights.up}) {
      args.tile_bytes = matrix->tile_bytes;
      args.tiles = matrix->data.data() + unit * (kBlock / kTile) * matrix->tile_bytes;
      args.blocks = matrix->blocks;
      args.out = (matrix == &weights.gate ? scratch.gate : scratch.up).data();
      gemm(args, *matrix);
    }
    for (int r = 0; r < args.rows; ++r) {
      float* gate = scratch.gate.data() + r * kFfnStep;
      const float* up = scratch.up.data() + r * kFfnStep;
      if (learns) {
        const Learner::Trace trace = learner_->trace(layer, rows_[row + r].position);
        std::copy_n(gate, outputs, trace.gate + unit * kBlock);
        std::copy_n(up, outputs, trace.up + unit * kBlock);
      }
      activate(gate, up, outputs);
      kernels_.quantize(gate, outputs, w.ffn.view().at(row + r, unit * kBlock));
    }
  });
}

void CpuOps::head(std::size_t first, std::size_t count) {
  const Part parts[] = {{&model_->head(), 0}};
  const auto stride = static_cast<std::size_t>(model_->head().tiles) * kTile;
  matmul(parts, work_->input.view().at(first), count, work_->logits.data(), stride, false);
}

void CpuOps::give_logits(std::size_t first, std::size_t count, const RowSink& sink) {
  const auto rows = static_cast<std::size_t>(model_->head().outputs);
  const auto stride = static_cast<std::size_t>(model_->head().tiles) * kTile;
  pool_.run(count, [&](std::size_t r, int thread) {
    float* logits = work_->logits.data() + r * stride;
    if (spec_.logit_scale != 1.0f) kernels_.scale(logits, spec_.logit_scale, stride);
    if (spec_.logit_cap != 0.0f) kernels_.cap(logits, spec_.logit_cap, stride);
    const Row& row = rows_[first + r];
    const std::span<const float> given(logits, rows);
    if (learner_) std::ranges::copy(given, learner_->logits(row.position));
    sink(row.input, row.index, given, thread);
  });
}

}  // namespace smll::exact
