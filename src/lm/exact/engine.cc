#include "lm/exact/engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/fp_env.h"
#include "smll/error.h"

namespace smll::exact {

using weights::Format;
using weights::HyperParameters;
using weights::Layer;
using weights::LayerMatrices;
using weights::PackedMatrix;

namespace {

// Rows computed at once: enough to amortize reading the weights, small enough to stay in cache.
constexpr std::size_t kMaxRows = 256;
// Rows of one matmul task, whose activations stay in the second-level cache.
constexpr std::size_t kTaskRows = 64;
// Rows of logits computed before they are handed out.
constexpr std::size_t kHeadRows = 32;
// Outputs of a gate or up matrix that a feed-forward task computes at once.
constexpr int kFfnStep = 64;
constexpr int kMaxLanes = 4096;

// The values of a row of activations.
void expand(const Activations& row, int count, float* out) {
  for (int i = 0; i < count; ++i) out[i] = row.scale[i / kBlock] * static_cast<float>(row.q8[i]);
}

std::size_t round_up(std::size_t x, std::size_t to) { return (x + to - 1) / to * to; }

}  // namespace

struct Engine::Lane {
  std::unique_ptr<KvCache> cache;  // null while closed
  std::uint64_t position = 0;
};

// One fed token.
struct Engine::Row {
  std::size_t input;
  std::size_t index;
  int lane;
  Token token;
  std::uint64_t position;
};

// Consecutive rows of one lane.
struct Engine::QueryBlock {
  std::size_t row;
  int count;
};

struct Engine::Workspace {
  std::size_t qkv_width;
  std::vector<float> x, normed, qkv, logits, cos, sin, first_cos, first_sin;
  ActivationBuffer input, query, first_query, attended, ffn;
  struct Thread {
    std::vector<float> gate, up, query;
    ActivationBuffer key;
  };
  std::vector<Thread> threads;

  Workspace(const HyperParameters& h, std::size_t head_rows, int thread_count)
      : qkv_width(round_up(static_cast<std::size_t>(h.heads + 2 * h.kv_heads) * h.head_dim, kTile)),
        x(kMaxRows * round_up(h.width, kTile)),
        normed(kMaxRows * h.width),
        qkv(kMaxRows * qkv_width),
        logits(kHeadRows * round_up(head_rows, kTile)),
        cos(kMaxRows * h.head_dim),
        sin(cos.size()),
        first_cos(cos.size()),
        first_sin(cos.size()),
        input(kMaxRows, h.width),
        query(kMaxRows, h.heads * h.head_dim),
        first_query(kMaxRows, h.heads * h.head_dim),
        attended(kMaxRows, h.heads * h.head_dim),
        ffn(kMaxRows, h.ffn_width) {
    for (int i = 0; i < thread_count; ++i) {
      threads.push_back(
          {std::vector<float>(kTaskRows * kFfnStep), std::vector<float>(kTaskRows * kFfnStep),
           std::vector<float>(h.heads * h.head_dim), ActivationBuffer(1, h.head_dim)});
    }
  }
};

Engine::Engine(std::shared_ptr<const weights::Weights> model, const EngineOptions& options)
    : model_(std::move(model)),
      kernels_(kernels_for(options.isa)),
      window_(options.window),
      layout_(model_->hyper().head_dim),
      kv_(layout_, model_->hyper().layers * model_->hyper().kv_heads),
      rotary_(model_->hyper().rope_dims, model_->hyper().rope_base, model_->hyper().rope_scale,
              model_->rope_factors()),
      pool_(options.pool ? options.pool : std::make_shared<ThreadPool>(options.threads)),
      learns_(options.learns) {
  if (window_ < kMinWindow || window_ > kMaxWindow) {
    throw Error(ErrorKind::kUsage, "the window must be between 2 and 65536 tokens");
  }
  const HyperParameters& h = model_->hyper();
  work_ = std::make_unique<Workspace>(h, rows(), pool_.threads());
  for (int i = 0; i < pool_.threads(); ++i) {
    attention_.emplace_back(kernels_, layout_, h.heads / h.kv_heads, window_);
  }
}

Engine::~Engine() = default;

std::uint64_t Engine::context_memory(const weights::Weights& model, const EngineOptions& options,
                                     std::size_t tokens) {
  const HyperParameters& h = model.hyper();
  const auto capacity = static_cast<std::uint64_t>(options.window) + kMaxRows;
  return KvCache::memory(KvLayout(h.head_dim), h.layers * h.kv_heads,
                         std::min<std::uint64_t>(tokens + 1, capacity));
}

std::uint64_t Engine::memory(const weights::Weights& model, const EngineOptions& options,
                             std::span<const std::size_t> lane_tokens, int engines) {
  const HyperParameters& h = model.hyper();
  const KvLayout layout(h.head_dim);
  std::uint64_t bytes = 0;
  for (const std::size_t tokens : lane_tokens) {
    bytes += context_memory(model, options, tokens);
  }
  const int threads = options.pool ? options.pool->threads() : thread_count(options.threads);
  bytes += Attention::memory(layout, h.heads / h.kv_heads, options.window) *
           static_cast<std::uint64_t>(threads + engines);
  // A row of a workspace: at most three floats for each of what it computes, and the logits.
  const auto row = static_cast<std::uint64_t>(h.width + (h.heads + 2 * h.kv_heads) * h.head_dim +
                                              h.ffn_width + 4 * h.head_dim);
  const auto logits = static_cast<std::uint64_t>(model.head().tiles) * kTile;
  bytes += static_cast<std::uint64_t>(engines) * sizeof(float) *
           (3 * kMaxRows * row + kHeadRows * logits);
  if (options.learns)
    bytes += Learner::memory(model, threads) * static_cast<std::uint64_t>(engines);
  return bytes;
}

std::size_t Engine::rows() const { return static_cast<std::size_t>(model_->head().outputs); }
int Engine::max_lanes() const { return learns_ ? 1 : kMaxLanes; }
std::size_t Engine::preferred_batch() { return kMaxRows; }
Token Engine::start_token() const { return model_->start_token(); }

int Engine::open_lane() {
  const auto closed = std::ranges::find_if(lanes_, [](const Lane& lane) { return !lane.cache; });
  const auto number = static_cast<int>(closed - lanes_.begin());
  if (number == max_lanes()) throw Error(ErrorKind::kUsage, "no more lanes can be opened");
  // A chunk writes all its positions before any of its queries reads: hence the room for one more.
  auto cache = std::make_unique<KvCache>(kv_, window_ + static_cast<int>(kMaxRows));
  if (learns_) {
    const FpEnv environment;
    learner_ = std::make_unique<Learner>(
        model_, Learner::Context{kernels_, pool_, *cache, rotary_, window_});
  }
  if (closed == lanes_.end()) lanes_.emplace_back();
  lanes_[number] = {std::move(cache), 0};
  return number;
}

void Engine::close_lane(int lane) {
  open(lane) = {};
  learner_.reset();
}

void Engine::reset(int lanes) {
  if (lanes < 1 || lanes > max_lanes()) {
    throw Error(ErrorKind::kUsage, "the number of lanes must be between 1 and 4096, 1 to learn");
  }
  lanes_.clear();
  learner_.reset();
  for (int lane = 0; lane < lanes; ++lane) open_lane();
}

Engine::Lane& Engine::open(int lane) {
  if (lane < 0 || lane >= static_cast<int>(lanes_.size()) || !lanes_[lane].cache) {
    throw Error(ErrorKind::kUsage, "there is no such lane");
  }
  return lanes_[lane];
}

std::size_t Engine::max_guesses(int lane) const {
  if (!learner_) return kMaxRows / 2;
  return Learner::kStep - 1 - lanes_[lane].position % Learner::kStep;
}

void Engine::take_back(int lane, std::size_t count) {
  Lane& taken = open(lane);
  taken.position -= count;
  taken.cache->forget(taken.position, static_cast<int>(count));
}

void Engine::feed(std::span<const LaneTokens> batch, const RowSink& sink) {
  const FpEnv environment;
  const KernelScope scope(kernels_);
  flatten(batch);
  std::size_t count = 0;
  for (std::size_t first = 0; first < rows_.size(); first += count) {
    count = chunk_size(first);
    const auto rows = std::span<const Row>(rows_).subspan(first, count);
    if (learner_) learn_from(rows);
    run_chunk(rows, sink);
  }
}

// How many rows are computed at once from row `first` on: where the engine learns, none beyond a
// step.
std::size_t Engine::chunk_size(std::size_t first) const {
  const std::size_t rest = rows_.size() - first;
  if (!learner_) return std::min(kMaxRows, rest);
  return std::min(Learner::kStep - rows_[first].position % Learner::kStep, rest);
}

void Engine::learn_from(std::span<const Row> rows) {
  OpTimer timer(times_);
  for (const Row& row : rows) learner_->see(row.position, row.token);
  timer.mark(Op::kLearn);
}

void Engine::flatten(std::span<const LaneTokens> batch) {
  rows_.clear();
  std::vector<bool> seen(lanes_.size());
  for (std::size_t input = 0; input < batch.size(); ++input) {
    const LaneTokens& in = batch[input];
    Lane& lane = open(in.lane);
    if (seen[in.lane]) throw Error(ErrorKind::kUsage, "a batch names a lane twice");
    seen[in.lane] = true;
    for (std::size_t i = 0; i < in.tokens.size(); ++i) {
      rows_.push_back({input, i, in.lane, in.tokens[i], lane.position++});
    }
  }
}

void Engine::run_chunk(std::span<const Row> rows, const RowSink& sink) {
  prepare(rows);
  for (int layer = 0; layer < model_->hyper().layers; ++layer) run_layer(layer, rows);
  head(rows, sink);
}

// Embeddings, rotations, room in the caches and the blocks of queries: what all layers share.
void Engine::prepare(std::span<const Row> rows) {
  OpTimer timer(times_);
  const HyperParameters& h = model_->hyper();
  const std::uint64_t farthest = static_cast<std::uint64_t>(window_) - 1;
  blocks_.clear();
  past_window_ = false;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    past_window_ = past_window_ || rows[r].position > farthest;
    lanes_[rows[r].lane].cache->reserve(rows[r].position, 1);
    const bool joins =
        r > 0 && rows[r].lane == rows[r - 1].lane && blocks_.back().count < kQueryBlock;
    if (joins) {
      ++blocks_.back().count;
    } else {
      blocks_.push_back({r, 1});
    }
  }
  Workspace& w = *work_;
  pool_.run(rows.size(), [&](std::size_t r, int) {
    model_->embed(rows[r].token, w.x.data() + r * h.width);
    const std::size_t at = r * h.head_dim;
    rotary_.fill(rows[r].position, h.head_dim, w.cos.data() + at, w.sin.data() + at);
    if (past_window_) {
      rotary_.fill(std::min(rows[r].position, farthest), h.head_dim, w.first_cos.data() + at,
                   w.first_sin.data() + at);
    }
  });
  timer.mark(Op::kEmbed);
}

void Engine::run_layer(int index, std::span<const Row> rows) {
  const HyperParameters& h = model_->hyper();
  const Layer& layer = model_->layers()[index];
  Workspace& w = *work_;
  const int query_width = h.heads * h.head_dim;
  const int key_width = h.kv_heads * h.head_dim;
  OpTimer timer(times_);
  note_stream(index, rows, &Learner::Trace::attention_input);
  norm(layer.attention_norm, rows.size());
  timer.mark(Op::kNorm);
  const LayerMatrices& matrices = this->matrices(index);
  const Part qkv[] = {{&matrices.query, 0},
                      {&matrices.key, query_width},
                      {&matrices.value, query_width + key_width}};
  matmul(qkv, w.input.view(), rows.size(), w.qkv.data(), w.qkv_width, false);
  timer.mark(Op::kQkv);
  store(index, rows);
  timer.mark(Op::kStore);
  attend(index, rows);
  timer.mark(Op::kAttention);
  if (learns(index)) {
    for (std::size_t r = 0; r < rows.size(); ++r) {
      expand(w.attended.view().at(r), query_width,
             learner_->trace(index, rows[r].position).attended);
    }
  }
  const Part output[] = {{&matrices.output, 0}};
  matmul(output, w.attended.view(), rows.size(), w.x.data(), h.width, true);
  timer.mark(Op::kOutput);
  note_stream(index, rows, &Learner::Trace::ffn_input);
  norm(layer.ffn_norm, rows.size());
  timer.mark(Op::kNorm);
  feed_forward(index, rows);
  timer.mark(Op::kFfn);
  const Part down[] = {{&matrices.down, 0}};
  matmul(down, w.ffn.view(), rows.size(), w.x.data(), h.width, true);
  timer.mark(Op::kDown);
}

// For the learner, where the layer learns.
void Engine::note_stream(int layer, std::span<const Row> rows, float* Learner::Trace::*to) {
  if (!learns(layer)) return;
  const std::size_t width = model_->hyper().width;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::copy_n(work_->x.data() + r * width, width, learner_->trace(layer, rows[r].position).*to);
  }
}

void Engine::norm(const std::vector<float>& weight, std::size_t rows) {
  const HyperParameters& h = model_->hyper();
  Workspace& w = *work_;
  pool_.run(rows, [&](std::size_t r, int) {
    float* normed = w.normed.data() + r * h.width;
    kernels_.rms_norm(w.x.data() + r * h.width, weight.data(), h.rms_epsilon, h.width, normed);
    kernels_.quantize(normed, h.width, w.input.view().at(r));
  });
}

void Engine::store(int layer, std::span<const Row> rows) {
  pool_.run(rows.size(), [&](std::size_t r, int thread) { store_row(layer, rows[r], r, thread); });
}

// Rotates and quantizes the queries of a row, and stores its keys and values.
void Engine::store_row(int layer, const Row& row, std::size_t r, int thread) {
  const HyperParameters& h = model_->hyper();
  Workspace& w = *work_;
  Workspace::Thread& scratch = w.threads[thread];
  const int dim = h.head_dim;
  const int query_width = h.heads * dim;
  float* query = w.qkv.data() + r * w.qkv_width;
  float* key = query + query_width;
  const float* value = key + h.kv_heads * dim;
  const float* cos = w.cos.data() + r * dim;
  const float* sin = w.sin.data() + r * dim;
  kernels_.scale(query, 1.0f / std::sqrt(static_cast<float>(dim)), query_width);
  if (learns(layer)) std::copy_n(query, query_width, learner_->trace(layer, row.position).query);
  if (past_window_) std::memcpy(scratch.query.data(), query, query_width * sizeof(float));
  for (int head = 0; head < h.heads; ++head) kernels_.rotate(query + head * dim, cos, sin, dim);
  kernels_.quantize(query, query_width, w.query.view().at(r));
  if (past_window_) {
    const float* first_cos = w.first_cos.data() + r * dim;
    const float* first_sin = w.first_sin.data() + r * dim;
    for (int head = 0; head < h.heads; ++head) {
      kernels_.rotate(scratch.query.data() + head * dim, first_cos, first_sin, dim);
    }
    kernels_.quantize(scratch.query.data(), query_width, w.first_query.view().at(r));
  }
  KvCache& cache = *lanes_[row.lane].cache;
  const Activations quantized = scratch.key.view();
  for (int head = 0; head < h.kv_heads; ++head) {
    const int part = layer * h.kv_heads + head;
    kernels_.rotate(key + head * dim, cos, sin, dim);
    kernels_.quantize(key + head * dim, dim, quantized);
    cache.store_key(row.position, part, quantized.q8, quantized.scale);
    cache.store_value(row.position, part, value + head * dim);
  }
}

void Engine::attend(int layer, std::span<const Row> rows) {
  const HyperParameters& h = model_->hyper();
  Workspace& w = *work_;
  const int group = h.heads / h.kv_heads;
  const std::size_t tasks = blocks_.size() * h.kv_heads;
  const auto place = [&](std::size_t task) -> KvPlace {
    const Row& row = rows[blocks_[task / h.kv_heads].row];
    const int head = static_cast<int>(task % h.kv_heads);
    return {lanes_[row.lane].cache.get(), layer * h.kv_heads + head, row.position};
  };
  const auto ahead = static_cast<std::size_t>(pool_.free_threads());
  pool_.run(tasks, [&](std::size_t task, int thread) {
    const QueryBlock& block = blocks_[task / h.kv_heads];
    const int head = static_cast<int>(task % h.kv_heads);
    const std::size_t first = static_cast<std::size_t>(head) * group * h.head_dim;
    const Activations query = w.query.view().at(block.row, first);
    AttentionTask args = {place(task),
                          block.count,
                          group,
                          window_,
                          query,
                          past_window_ ? w.first_query.view().at(block.row, first) : query,
                          w.attended.view().at(block.row, first)};
    if (task + ahead < tasks) args.next = place(task + ahead);
    if (learns(layer)) {
      args.softmax = learner_->trace(layer, args.place.position).softmax + 2 * head * group;
      args.softmax_stride = 2 * h.heads;
    }
    attention_[thread].run(args);
  });
}

void Engine::gemm(const GemmArgs& args, const PackedMatrix& matrix) const {
  (matrix.format == Format::kU4 ? kernels_.gemm_u4 : kernels_.gemm_s8)(args);
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

void Engine::matmul(std::span<const Part> parts, const Activations& input, std::size_t rows,
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

bool Engine::learns(int layer) const { return learner_ && layer >= learner_->first_layer(); }

const LayerMatrices& Engine::matrices(int layer) const {
  return learns(layer) ? learner_->matrices(layer) : model_->layers()[layer].matrices;
}

// Gate and up are computed a strip of outputs at a time, so that their product never leaves the
// cache.
void Engine::feed_forward(int layer, std::span<const Row> rows) {
  const HyperParameters& h = model_->hyper();
  const LayerMatrices& weights = matrices(layer);
  const bool learns = this->learns(layer);
  Workspace& w = *work_;
  const std::size_t units = h.ffn_width / kBlock;
  const std::size_t row_groups = (rows.size() + kTaskRows - 1) / kTaskRows;
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
    args.rows = static_cast<int>(std::min(kTaskRows, rows.size() - row));
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
        const Learner::Trace trace = learner_->trace(layer, rows[row + r].position);
        std::copy_n(gate, outputs, trace.gate + unit * kBlock);
        std::copy_n(up, outputs, trace.up + unit * kBlock);
      }
      kernels_.silu_mul(gate, up, outputs);
      kernels_.quantize(gate, outputs, w.ffn.view().at(row + r, unit * kBlock));
    }
  });
}

void Engine::head(std::span<const Row> rows, const RowSink& sink) {
  Workspace& w = *work_;
  OpTimer timer(times_);
  if (learner_) {
    const std::size_t width = model_->hyper().width;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      std::copy_n(w.x.data() + r * width, width, learner_->output(rows[r].position));
    }
  }
  norm(model_->output_norm(), rows.size());
  timer.mark(Op::kNorm);
  const Part parts[] = {{&model_->head(), 0}};
  const std::size_t stride = round_up(this->rows(), kTile);
  for (std::size_t first = 0; first < rows.size(); first += kHeadRows) {
    const std::size_t count = std::min(kHeadRows, rows.size() - first);
    matmul(parts, w.input.view().at(first), count, w.logits.data(), stride, false);
    timer.mark(Op::kHead);
    pool_.run(count, [&](std::size_t r, int thread) {
      const Row& row = rows[first + r];
      const std::span<const float> logits(w.logits.data() + r * stride, this->rows());
      if (learner_) std::ranges::copy(logits, learner_->logits(row.position));
      sink(row.input, row.index, logits, thread);
    });
    timer.mark(Op::kSink);
  }
}

std::unique_ptr<Engine> make_engine(const std::string& gguf_path, const EngineOptions& options) {
  return std::make_unique<Engine>(
      weights::Weights::load(gguf_path, options.row_order, options.threads), options);
}

}  // namespace smll::exact
