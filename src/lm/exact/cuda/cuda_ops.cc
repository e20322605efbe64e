#include "lm/exact/cuda/cuda_ops.h"

#include <algorithm>
#include <utility>

#include "lm/exact/attention.h"
#include "lm/exact/cuda/device_code.h"
#include "lm/exact/cuda/rooms.h"
#include "smll/error.h"

namespace smll::exact::cuda {

using weights::Activation;
using weights::LayerSpec;
using weights::ModelSpec;

namespace {

// Rows of a batch: enough to fill a large device.
constexpr std::size_t kBatchRows = 2048;
// What rows of logits may take that are computed at once; some always are.
constexpr std::size_t kLogitBytes = std::size_t{256} << 20;
constexpr std::size_t kLeastLogitRows = 32;
// Shared memory that a block has on every device.
constexpr std::size_t kUsualShared = 48 << 10;
// What attention may take where shared memory is too small for a window.
constexpr std::size_t kMaxRoom = std::size_t{256} << 20;

constexpr std::uint32_t kThreads = 128;

std::size_t round_up(std::size_t x, std::size_t to) { return (x + to - 1) / to * to; }

std::uint32_t blocks_of(std::size_t count, std::size_t each) {
  return static_cast<std::uint32_t>((count + each - 1) / each);
}

int part_count(const ModelSpec& spec) {
  return static_cast<int>(spec.layers.size()) * spec.kv_heads;
}

// Segments of a lane: a batch writes all its positions before any of its queries reads.
int ring_of(int window) {
  return static_cast<int>((static_cast<std::size_t>(window) + kMaxRows + kSegment - 1) / kSegment);
}

// Memory that is cut into arrays. First it is counted, then cut.
class Arena {
 public:
  explicit Arena(std::uint8_t* memory = nullptr) : memory_(memory) {}

  template <class T>
  T* take(std::size_t count) {
    T* const array = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += round_up(count * sizeof(T), 256);
    return array;
  }
  Activations take_activations(std::size_t rows, int width) {
    const std::size_t count = rows * static_cast<std::size_t>(width);
    Activations taken{};
    taken.q8 = take<std::int8_t>(count);
    taken.scales = take<Scales>(count / kBlock);
    taken.blocks = width / kBlock;
    return taken;
  }
  std::size_t used() const { return used_; }

 private:
  std::uint8_t* memory_;
  std::size_t used_ = 0;
};

Activations from_row(const Activations& all, std::size_t row) {
  const std::size_t block = row * static_cast<std::size_t>(all.blocks);
  return {all.q8 + block * kBlock, all.scales + block, all.blocks, 0};
}

}  // namespace

// What turns the rows' vectors by one rotation, [rows][head_dim] each, as in CpuOps.
struct CudaOps::Turns {
  float *cos, *sin, *first_cos, *first_sin;
};

// What the host makes of a batch, once in its own memory and once in the device's.
struct CudaOps::Staging {
  struct Arrays {
    float* stream;
    RowPlace* rows;
    std::uint8_t** tables;
    std::vector<Turns> turns;

    void take(Arena& arena, const ModelSpec& spec, int ring) {
      stream = arena.take<float>(kBatchRows * static_cast<std::size_t>(spec.width));
      rows = arena.take<RowPlace>(kBatchRows);
      tables = arena.take<std::uint8_t*>(kBatchRows * static_cast<std::size_t>(ring + 1));
      const std::size_t count = kBatchRows * static_cast<std::size_t>(spec.head_dim);
      turns.clear();
      for (std::size_t i = 0; i < spec.rotations.size(); ++i) {
        turns.push_back({arena.take<float>(count), arena.take<float>(count),
                         arena.take<float>(count), arena.take<float>(count)});
      }
    }
  };

  Memory host_memory, device_memory;
  Arrays host, device;

  Staging(Device& gpu, const ModelSpec& spec, int ring) {
    Arena counted;
    host.take(counted, spec, ring);
    host_memory = gpu.allocate_host(counted.used());
    device_memory = gpu.allocate(counted.used());
    Arena host_arena(host_memory.get()), device_arena(device_memory.get());
    host.take(host_arena, spec, ring);
    device.take(device_arena, spec, ring);
  }
};

// What stands between two operations.
struct CudaOps::Workspace {
  Memory memory, room;
  std::size_t qkv_width, logit_width, logit_rows;
  float *branch, *qkv, *gate_up, *logits;
  Activations input, query, first_query, attended, ffn;
  std::size_t room_bytes = 0;

  Workspace(Device& gpu, const ModelSpec& spec, std::size_t head_tiles)
      : qkv_width(
            round_up(static_cast<std::size_t>(spec.query_width() + 2 * spec.key_width()), kTile)),
        logit_width(head_tiles * kTile),
        logit_rows(
            std::clamp(kLogitBytes / (logit_width * sizeof(float)), kLeastLogitRows, kBatchRows)) {
    Arena counted;
    take(counted, spec);
    memory = gpu.allocate(counted.used());
    Arena arena(memory.get());
    take(arena, spec);
  }

  void take(Arena& arena, const ModelSpec& spec) {
    branch = arena.take<float>(kBatchRows * static_cast<std::size_t>(spec.width));
    qkv = arena.take<float>(kBatchRows * qkv_width);
    gate_up = arena.take<float>(kBatchRows * 2 * static_cast<std::size_t>(spec.ffn_width));
    logits = arena.take<float>(logit_rows * logit_width);
    input = arena.take_activations(kBatchRows, spec.width);
    query = arena.take_activations(kBatchRows, spec.query_width());
    first_query = arena.take_activations(kBatchRows, spec.query_width());
    attended = arena.take_activations(kBatchRows, spec.query_width());
    ffn = arena.take_activations(kBatchRows, spec.ffn_width);
  }
};

CudaOps::CudaOps(const std::shared_ptr<const weights::Weights>& model,
                 std::shared_ptr<Device> device, ThreadPool::Client& pool, int window,
                 std::span<const lm::Decision> decisions)
    : queue_(std::move(device)),
      steps_(queue_),
      model_(DeviceModel::of(queue_.device().shared_from_this(), model)),
      spec_(model_->weights()->spec()),
      pool_(pool),
      window_(window),
      ring_(ring_of(window)),
      layout_(spec_.head_dim),
      kv_(queue_, layout_, part_count(spec_)) {
  if (norm_room(spec_.width) > kUsualShared) {
    throw Error(ErrorKind::kModel, "the model is too wide for the GPU's kernels; use --device cpu");
  }
  for (const weights::Rotation& rotation : spec_.rotations) rotary_.emplace_back(rotation);
  staging_ = std::make_unique<Staging>(queue_.device(), spec_, ring_);
  const weights::PackedMatrix& head = model_->weights()->head();
  work_ = std::make_unique<Workspace>(queue_.device(), spec_, head.tiles);
  const Answers::Logits logits = {work_->logits, work_->logit_rows,
                                  static_cast<std::size_t>(head.outputs), work_->logit_width};
  answers_ = std::make_unique<Answers>(queue_, pool_, logits, decisions);
}

CudaOps::~CudaOps() = default;

std::size_t CudaOps::lanes(const weights::Weights& model, const Device& device, int window) {
  const ModelSpec& spec = model.spec();
  const std::size_t segment =
      KvLayout(spec.head_dim).part_bytes * static_cast<std::size_t>(part_count(spec));
  const std::size_t lane = segment * static_cast<std::size_t>(ring_of(window));
  return device.info().memory / 4 * 3 / lane;
}

std::size_t CudaOps::max_rows() const { return kBatchRows; }
std::size_t CudaOps::head_rows() const { return work_->logit_rows; }

void CudaOps::open_lane(int lane, std::shared_ptr<const lm::KeptContext> begin) {
  auto kept = std::dynamic_pointer_cast<const KeptPages>(begin);
  const std::uint64_t positions = begin ? begin->positions() : 0;
  if ((begin && !kept) || (kept && !kept->is_of(*model_->weights(), queue_.device())) ||
      positions > static_cast<std::uint64_t>(window_)) {
    throw Error(ErrorKind::kUsage, "a lane cannot begin with another model's context");
  }
  auto pages = std::make_unique<LanePages>(kv_, ring_, kept);
  if (lanes_.size() <= static_cast<std::size_t>(lane)) lanes_.resize(lane + 1);
  lanes_[lane] = std::move(pages);
}

void CudaOps::close_lane(int lane) { lanes_[lane].reset(); }

std::shared_ptr<const lm::KeptContext> CudaOps::keep_lane(int lane) {
  std::shared_ptr<const lm::KeptContext> kept = lanes_[lane]->keep(model_->weights());
  close_lane(lane);
  return kept;
}

// Kernels read no position before it is written again.
void CudaOps::forget(int /*lane*/, std::uint64_t /*first*/, std::size_t /*count*/) {}

std::shared_ptr<lm::TokenCode> CudaOps::begin_code(std::span<const std::uint8_t> code,
                                                   const coder::Decoder::State& state) {
  if (!answers_->decodes()) return nullptr;
  return std::make_shared<DeviceCode>(queue_, code, state);
}

void CudaOps::learn(std::span<const Row> /*rows*/) {}

void CudaOps::embed(std::span<const Row> rows) {
  rows_ = rows;
  steps_.clear();  // of a batch that failed
  place_rows();
  reserve_room();
  pool_.run(rows.size(), [&](std::size_t r, int) {
    float* const stream = staging_->host.stream + r * spec_.width;
    model_->weights()->embed(rows_[r].token, stream);
    if (spec_.embedding_scale != 1.0f) {
      for (int i = 0; i < spec_.width; ++i) stream[i] *= spec_.embedding_scale;
    }
    turn(r);
  });
  upload_batch();
}

// Room for the rows, and the tables of their lanes.
void CudaOps::place_rows() {
  farthest_ = 0;
  tables_ = 0;
  std::vector<std::uint32_t> table_of(lanes_.size(), 0);
  const std::size_t entries = static_cast<std::size_t>(ring_) + 1;
  for (const Row& row : rows_) {
    farthest_ = std::max(farthest_, row.position);
    lanes_[row.lane]->reserve(row.position);
  }
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::uint32_t& table = table_of[rows_[r].lane];
    if (table == 0) {
      lanes_[rows_[r].lane]->write_table(staging_->host.tables + tables_ * entries);
      table = static_cast<std::uint32_t>(++tables_);
    }
    staging_->host.rows[r] = {rows_[r].position, table - 1, 0};
  }
}

// What turns a row's vectors, by each rotation.
void CudaOps::turn(std::size_t r) {
  const int dim = spec_.head_dim;
  const std::size_t at = r * dim;
  const auto window = static_cast<std::uint64_t>(window_);
  for (std::size_t i = 0; i < rotary_.size(); ++i) {
    const Turns& to = staging_->host.turns[i];
    rotary_[i].fill(rows_[r].position, dim, to.cos + at, to.sin + at);
    if (farthest_ < window) continue;
    rotary_[i].fill(std::min(rows_[r].position, window - 1), dim, to.first_cos + at,
                    to.first_sin + at);
  }
}

void CudaOps::upload_batch() {
  const Staging::Arrays& from = staging_->host;
  const Staging::Arrays& to = staging_->device;
  const std::size_t rows = rows_.size();
  queue_.upload(to.stream, from.stream, rows * spec_.width * sizeof(float));
  queue_.upload(to.rows, from.rows, rows * sizeof(RowPlace));
  queue_.upload(to.tables, from.tables,
                tables_ * (static_cast<std::size_t>(ring_) + 1) * sizeof(std::uint8_t*));
  const std::size_t bytes = rows * spec_.head_dim * sizeof(float);
  for (std::size_t i = 0; i < from.turns.size(); ++i) {
    queue_.upload(to.turns[i].cos, from.turns[i].cos, bytes);
    queue_.upload(to.turns[i].sin, from.turns[i].sin, bytes);
    if (farthest_ < static_cast<std::uint64_t>(window_)) continue;
    queue_.upload(to.turns[i].first_cos, from.turns[i].first_cos, bytes);
    queue_.upload(to.turns[i].first_sin, from.turns[i].first_sin, bytes);
  }
}

Pages CudaOps::pages(int layer) const {
  return {staging_->device.tables,
          staging_->device.rows,
          ring_,
          layer * spec_.kv_heads,
          spec_.head_dim,
          static_cast<std::uint32_t>(layout_.tile_bytes),
          static_cast<std::uint32_t>(layout_.scales_offset),
          static_cast<std::uint32_t>(layout_.values_offset),
          static_cast<std::uint32_t>(layout_.part_bytes),
          static_cast<std::uint32_t>(kv_.first_bytes())};
}

void CudaOps::norm(const float* weight) {
  const NormArgs args = {staging_->device.stream, weight, work_->input, spec_.rms_epsilon,
                         spec_.width};
  steps_.add(kNorm, {static_cast<std::uint32_t>(rows_.size()), 1, kThreads, norm_room(spec_.width)},
             args);
}

void CudaOps::attention_norm(int layer) { norm(model_->layers()[layer].attention_norm); }
void CudaOps::ffn_norm(int layer) { norm(model_->layers()[layer].ffn_norm); }
void CudaOps::output_norm() { norm(model_->output_norm()); }

// out[row][...] (+)= the parts' products, whose columns they say.
void CudaOps::product(std::span<const Matrix> parts, const Activations& input, std::size_t rows,
                      float* out, std::size_t stride, bool add) {
  ProductArgs args{};
  int groups = 0;
  for (const Matrix& part : parts) {
    Matrix& to = args.parts[args.part_count++];
    to = part;
    to.first_group = groups;
    groups += (part.tile_count + kProductTiles - 1) / kProductTiles;
  }
  args.rows = static_cast<std::int32_t>(rows);
  args.input = input;
  args.out = out;
  args.out_stride = stride;
  args.add = add ? 1 : 0;
  // Few rows are spread over more blocks, many share what they read.
  const bool many = rows * groups >= 4096;
  const std::size_t each = many ? 8 : rows * groups >= 1024 ? 4 : 1;
  steps_.add(many        ? kProduct8
             : each == 4 ? kProduct4
                         : kProduct1,
             {static_cast<std::uint32_t>(groups), blocks_of(rows, each), kProductTiles * kTile, 0},
             args);
}

void CudaOps::project(int layer) {
  const DeviceModel::Layer& weights = model_->layers()[layer];
  Matrix parts[] = {weights.query, weights.key, weights.value};
  parts[1].column = spec_.query_width();
  parts[2].column = spec_.query_width() + spec_.key_width();
  product(parts, work_->input, rows_.size(), work_->qkv, work_->qkv_width, false);
}

void CudaOps::rotate_and_store(int layer) {
  const DeviceModel::Layer& weights = model_->layers()[layer];
  const int rotation = spec_.layers[layer].rotation;
  const bool past_window = farthest_ >= static_cast<std::uint64_t>(window_);
  StoreArgs args{};
  args.qkv = work_->qkv;
  args.stride = work_->qkv_width;
  args.bias = weights.qkv_bias;
  args.query_norm = weights.query_norm;
  args.key_norm = weights.key_norm;
  if (rotation != LayerSpec::kNotRotated) {
    const Turns& turns = staging_->device.turns[rotation];
    args.cos = turns.cos;
    args.sin = turns.sin;
    args.first_cos = turns.first_cos;
    args.first_sin = turns.first_sin;
  }
  args.query = work_->query;
  args.first_query = work_->first_query;
  args.pages = pages(layer);
  args.epsilon = spec_.rms_epsilon;
  args.attention_scale = spec_.attention_scale;
  args.heads = spec_.heads;
  args.kv_heads = spec_.kv_heads;
  args.looks_back = past_window && window_of(spec_.layers[layer], window_).keeps_first ? 1 : 0;
  steps_.add(kStore,
             {static_cast<std::uint32_t>(spec_.heads + 2 * spec_.kv_heads),
              static_cast<std::uint32_t>(rows_.size()), 64, store_room(spec_.head_dim)},
             args);
}

// Scores of a query, at most: whole segments, so that batch after batch starts the same. A row of
// scores begins at a multiple of 16.
std::int32_t CudaOps::attention_span(int layer) const {
  const auto window = static_cast<std::uint64_t>(window_of(spec_.layers[layer], window_).size);
  const std::uint64_t seen = std::min(window, round_up(farthest_ + 1, kSegment));
  return static_cast<std::int32_t>(round_up(seen, kLanes) + kLanes);
}

std::size_t CudaOps::attention_room(int layer) const {
  const int group = spec_.heads / spec_.kv_heads;
  return round_up(attend_room(group, spec_.head_dim, attention_span(layer)), 256);
}

// For the layers whose windows are too long for shared memory: before any of them is added to what
// is to be started.
void CudaOps::reserve_room() {
  std::size_t bytes = 0;
  for (int layer = 0; layer < static_cast<int>(spec_.layers.size()); ++layer) {
    const std::size_t room = attention_room(layer);
    if (room <= queue_.device().info().max_shared) continue;
    const std::size_t of_row = room * static_cast<std::size_t>(spec_.kv_heads);
    bytes = std::max(bytes, of_row * std::clamp<std::size_t>(kMaxRoom / of_row, 1, rows_.size()));
  }
  if (bytes <= work_->room_bytes) return;
  work_->room = nullptr;
  work_->room_bytes = 0;
  work_->room = queue_.device().allocate(bytes);
  work_->room_bytes = bytes;
}

void CudaOps::attend(int layer) {
  const Window window = window_of(spec_.layers[layer], window_);
  const bool past_window = farthest_ >= static_cast<std::uint64_t>(window_);
  AttendArgs args{};
  args.query = work_->query;
  args.first_query = past_window && window.keeps_first ? work_->first_query : work_->query;
  args.out = work_->attended;
  args.pages = pages(layer);
  args.kv_heads = spec_.kv_heads;
  args.group = spec_.heads / spec_.kv_heads;
  args.window = window.size;
  args.keeps_first = window.keeps_first ? 1 : 0;
  args.span = attention_span(layer);
  const std::size_t room = attention_room(layer);
  std::size_t rows_at_once = rows_.size();
  if (room > queue_.device().info().max_shared) {
    const std::size_t of_row = room * static_cast<std::size_t>(spec_.kv_heads);
    rows_at_once = std::clamp<std::size_t>(work_->room_bytes / of_row, 1, rows_at_once);
    args.room = work_->room.get();
    args.room_bytes = room;
  }
  for (std::size_t first = 0; first < rows_.size(); first += rows_at_once) {
    args.first_row = static_cast<std::int32_t>(first);
    const std::size_t rows = std::min(rows_at_once, rows_.size() - first);
    steps_.add(kAttend,
               {static_cast<std::uint32_t>(rows * spec_.kv_heads), 1, kThreads,
                args.room ? 0 : static_cast<std::uint32_t>(room)},
               args);
  }
}

void CudaOps::add_attention(int layer) {
  const DeviceModel::Layer& weights = model_->layers()[layer];
  add_to_stream(weights.output, work_->attended, weights.output_bias, weights.attention_post_norm);
}

void CudaOps::add_feed_forward(int layer) {
  const DeviceModel::Layer& weights = model_->layers()[layer];
  add_to_stream(weights.down, work_->ffn, nullptr, weights.ffn_post_norm);
}

void CudaOps::add_to_stream(const Matrix& matrix, const Activations& input, const float* bias,
                            const float* post_norm) {
  const bool plain = !bias && !post_norm && spec_.residual_scale == 1.0f;
  float* const stream = staging_->device.stream;
  product({&matrix, 1}, input, rows_.size(), plain ? stream : work_->branch, spec_.width, plain);
  if (plain) return;
  const AddArgs args = {work_->branch,        bias,        post_norm, stream, spec_.rms_epsilon,
                        spec_.residual_scale, spec_.width, 0};
  steps_.add(kAddBranch, {static_cast<std::uint32_t>(rows_.size()), 1, kThreads, add_room()}, args);
}

void CudaOps::feed_forward(int layer) {
  const DeviceModel::Layer& weights = model_->layers()[layer];
  Matrix parts[] = {weights.gate, weights.up};
  parts[1].column = spec_.ffn_width;
  const auto width = static_cast<std::size_t>(spec_.ffn_width);
  product(parts, work_->input, rows_.size(), work_->gate_up, 2 * width, false);
  const ActivateArgs args = {work_->gate_up, work_->ffn, spec_.ffn_width,
                             spec_.activation == Activation::kGelu ? 1 : 0};
  steps_.add(kActivate,
             {blocks_of(width, kThreads), static_cast<std::uint32_t>(rows_.size()), kThreads,
              activate_room(kThreads)},
             args);
}

void CudaOps::head(std::size_t first, std::size_t count) {
  product({&model_->head(), 1}, from_row(work_->input, first), count, work_->logits,
          work_->logit_width, false);
  const std::size_t values = count * work_->logit_width;
  if (spec_.logit_scale != 1.0f || spec_.logit_cap != 0.0f) {
    const LogitsArgs args = {work_->logits, values, spec_.logit_scale, spec_.logit_cap};
    steps_.add(kLogits, {blocks_of(values, 256), 1, 256, 0}, args);
  }
  steps_.run();
}

void CudaOps::give_logits(std::size_t first, std::size_t count, const RowSink& sink) {
  answers_->give(rows_.subspan(first, count), sink, nullptr);
}

void CudaOps::give_answers(std::size_t first, std::size_t count, const RowSink& sink,
                           Questions& questions) {
  answers_->give(rows_.subspan(first, count), sink, &questions);
}

}  // namespace smll::exact::cuda
