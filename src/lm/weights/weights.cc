#include "lm/weights/weights.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <set>

#include "base/fp_env.h"
#include "base/thread_pool.h"
#include "ggml.h"
#include "smll/error.h"

namespace smll::weights {

using exact::kTile;

namespace {

// The bytes of the rows of one tile; null for a row of zeros.
using TileRows = std::array<const std::uint8_t*, kTile>;

// Packs one tile. Returns the hash of its blocks.
template <typename Block>
std::uint64_t pack_tile(const TensorInfo& tensor, const TileRows& rows, std::uint8_t* tile) {
  const std::size_t blocks = tensor.columns / 32;
  std::vector<Block> row(blocks * kTile);
  for (int o = 0; o < kTile; ++o) {
    Block* out = row.data() + o * blocks;
    if (rows[o]) {
      decode_row(tensor, rows[o], out);
    } else {
      std::memset(static_cast<void*>(out), 0, blocks * sizeof(Block));
    }
    if (tile) pack(std::span<const Block>(out, blocks), o, tile);
  }
  return XXH3_64bits(row.data(), row.size() * sizeof(Block));
}

std::uint64_t pack_tile(const TensorInfo& tensor, Format format, const TileRows& rows,
                        std::uint8_t* tile) {
  return format == Format::kU4 ? pack_tile<U4Block>(tensor, rows, tile)
                               : pack_tile<S8Block>(tensor, rows, tile);
}

}  // namespace

// Reads one file into one Weights. Work on tensors is collected first and then done by all threads.
class Loader {
 public:
  Loader(const std::string& path, std::span<const Token> row_order, int threads, Token start_token)
      : model_(std::make_shared<Weights>()),
        file_(path),
        row_order_(row_order),
        pool_(std::make_shared<ThreadPool>(threads)) {
    model_->start_token_ = start_token;
  }

  std::shared_ptr<const Weights> load() {
    const FpEnv environment;
    read_hyper_parameters();
    read_norms_and_factors();
    model_->layers_.resize(model_->hyper_.layers);
    for (int i = 0; i < model_->hyper_.layers; ++i) add_layer(i);
    add_head();
    refuse_unknown_tensors();
    run_jobs();
    compute_fingerprint();
    return model_;
  }

 private:
  // One tile to pack into `tile` (or only to hash, when null).
  struct Job {
    const TensorInfo* tensor;
    const std::uint8_t* bytes;  // of all rows, or null: to be read
    Format format;
    std::vector<std::int64_t> rows;  // of every tile of the matrix, or empty: in order
    std::size_t tiles;
    std::uint8_t* data;
    std::size_t tile_bytes;
    std::size_t hash_slot;  // of the first tile, or kNoHash
  };
  static constexpr std::size_t kNoHash = ~std::size_t{0};
  // Of any dimension that metadata tell; products of two fit 64 bits.
  static constexpr int kMaxWidth = 1 << 24;

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kModel, file_.path() + ": " + what);
  }

  int integer(const std::string& key, int fallback = -1) const {
    const std::optional<std::uint64_t> value = file_.integer("llama." + key);
    if (!value && fallback < 0) fail("metadata llama." + key + " is missing");
    if (value && (*value == 0 || *value > kMaxWidth))
      fail("metadata llama." + key + " is out of range");
    return value ? static_cast<int>(*value) : fallback;
  }

  void read_hyper_parameters();
  void read_start_token();
  void read_rope_scaling();
  void read_norms_and_factors();
  const TensorInfo& tensor(const std::string& name, int columns, int rows);
  std::vector<float> vector(const std::string& name, int size);
  void add_layer(int index);
  void add_matrix(const std::string& name, int inputs, int outputs, PackedMatrix* out);
  void add_head();
  void refuse_unknown_tensors() const;
  AlignedBuffer read_all(const TensorInfo& tensor);
  void run_jobs();
  void run_tiles(const Job& job, std::size_t first, std::size_t end);
  void compute_fingerprint();

  std::shared_ptr<Weights> model_;
  GgufFile file_;
  std::span<const Token> row_order_;
  ThreadPool::Client pool_;
  std::set<std::string> known_;
  std::vector<Job> jobs_;
  AlignedBuffer head_rows_;  // as the file has them, where they are not the embedding's
  std::vector<std::uint64_t> hashes_;
};

void Loader::read_hyper_parameters() {
  const GgufFile& file = file_;
  const std::string architecture = file.text("general.architecture").value_or("unknown");
  if (architecture != "llama") {
    fail("the exact engine does not know the architecture '" + architecture +
         "'; use --backend llama");
  }
  HyperParameters& h = model_->hyper_;
  h.layers = integer("block_count");
  h.width = integer("embedding_length");
  h.ffn_width = integer("feed_forward_length");
  h.heads = integer("attention.head_count");
  h.kv_heads = integer("attention.head_count_kv", h.heads);
  h.head_dim = integer("attention.key_length", h.width / h.heads);
  h.rope_dims = integer("rope.dimension_count", h.head_dim);
  h.trained_context = integer("context_length", 2048);
  h.rms_epsilon =
      static_cast<float>(file.number("llama.attention.layer_norm_rms_epsilon").value_or(1e-5));
  h.rope_base = file.number("llama.rope.freq_base").value_or(10000.0);
  read_rope_scaling();
  if (file.integer("llama.expert_count").value_or(0) > 0) {
    fail("mixture-of-experts models need --backend llama");
  }
  if (h.heads % h.kv_heads != 0 || h.head_dim % 32 != 0 || h.head_dim > 512 || h.width % 32 != 0 ||
      h.ffn_width % 32 != 0 || h.rope_dims > h.head_dim || h.rope_dims % 2 != 0 ||
      integer("attention.value_length", h.head_dim) != h.head_dim || !(h.rope_base > 1.0) ||
      !(h.rope_base < 1e12)) {
    fail("the exact engine does not support this model's dimensions; use --backend llama");
  }
  // Each layer has tensors; memory is not to follow a number alone.
  if (static_cast<std::size_t>(h.layers) > file.tensors().size() ||
      static_cast<std::int64_t>(h.heads) * h.head_dim > kMaxWidth) {
    fail("the metadata tell of more layers or heads than the tensors have");
  }
  const TensorInfo* embedding = file.find("token_embd.weight");
  if (!embedding) fail("tensor 'token_embd.weight' is missing");
  h.vocabulary = static_cast<int>(embedding->rows);
  model_->embedding_ = tensor("token_embd.weight", h.width, h.vocabulary);
  format_of(*embedding);
  read_start_token();
}

void Loader::read_start_token() {
  std::uint64_t start = static_cast<std::uint64_t>(model_->start_token_);
  if (model_->start_token_ == Weights::kNamedByFile) {
    start = file_.integer("tokenizer.ggml.bos_token_id")
                .value_or(file_.integer("tokenizer.ggml.eos_token_id").value_or(0));
  }
  if (start >= static_cast<std::uint64_t>(model_->hyper_.vocabulary)) {
    fail("the start token is not in the vocabulary");
  }
  model_->start_token_ = static_cast<Token>(start);
}

void Loader::read_rope_scaling() {
  const GgufFile& file = file_;
  const std::string type = file.text("llama.rope.scaling.type").value_or("none");
  if (type == "linear") {
    const double factor = file.number("llama.rope.scaling.factor").value_or(1.0);
    if (!(factor >= 1.0 && factor < 1e6))
      fail("metadata llama.rope.scaling.factor is out of range");
    model_->hyper_.rope_scale = 1.0 / factor;
  } else if (type != "none") {
    fail("rotary scaling '" + type + "' needs --backend llama");
  }
}

const TensorInfo& Loader::tensor(const std::string& name, int columns, int rows) {
  const TensorInfo* view = file_.find(name);
  if (!view) fail("tensor '" + name + "' is missing");
  if (view->columns != static_cast<std::size_t>(columns) ||
      view->rows != static_cast<std::size_t>(rows)) {
    fail("tensor '" + name + "' is " + std::to_string(view->columns) + " x " +
         std::to_string(view->rows) + ", expected " + std::to_string(columns) + " x " +
         std::to_string(rows));
  }
  known_.insert(name);
  return *view;
}

std::vector<float> Loader::vector(const std::string& name, int size) {
  std::vector<float> values(size);
  const TensorInfo& view = tensor(name, size, 1);
  if (view.type != GGML_TYPE_F32) fail("tensor '" + name + "' is not of type F32");
  file_.read_rows(view, 0, 1, reinterpret_cast<std::uint8_t*>(values.data()));
  for (float value : values) {
    if (!std::isfinite(value)) fail("tensor '" + name + "' holds values that are not finite");
  }
  hashes_.push_back(XXH3_64bits(values.data(), values.size() * sizeof(float)));
  return values;
}

void Loader::read_norms_and_factors() {
  const HyperParameters& h = model_->hyper_;
  model_->output_norm_ = vector("output_norm.weight", h.width);
  if (file_.find("rope_freqs.weight")) {
    model_->rope_factors_ = vector("rope_freqs.weight", h.rope_dims / 2);
    for (float factor : model_->rope_factors_) {
      if (!(factor > 1e-6f && factor < 1e6f)) fail("a factor in rope_freqs.weight is out of range");
    }
  }
}

void Loader::add_layer(int index) {
  const HyperParameters& h = model_->hyper_;
  Layer& layer = model_->layers_[index];
  const std::string prefix = "blk." + std::to_string(index) + ".";
  const int query_width = h.heads * h.head_dim;
  const int key_width = h.kv_heads * h.head_dim;
  layer.attention_norm = vector(prefix + "attn_norm.weight", h.width);
  layer.ffn_norm = vector(prefix + "ffn_norm.weight", h.width);
  add_matrix(prefix + "attn_q.weight", h.width, query_width, &layer.matrices.query);
  add_matrix(prefix + "attn_k.weight", h.width, key_width, &layer.matrices.key);
  add_matrix(prefix + "attn_v.weight", h.width, key_width, &layer.matrices.value);
  add_matrix(prefix + "attn_output.weight", query_width, h.width, &layer.matrices.output);
  add_matrix(prefix + "ffn_gate.weight", h.width, h.ffn_width, &layer.matrices.gate);
  add_matrix(prefix + "ffn_up.weight", h.width, h.ffn_width, &layer.matrices.up);
  add_matrix(prefix + "ffn_down.weight", h.ffn_width, h.width, &layer.matrices.down);
}

void Loader::add_matrix(const std::string& name, int inputs, int outputs, PackedMatrix* out) {
  const TensorInfo& view = tensor(name, inputs, outputs);
  *out = PackedMatrix(format_of(view), inputs, outputs);
  const std::size_t tiles = out->tiles;
  jobs_.push_back(
      {&view, nullptr, out->format, {}, tiles, out->data.data(), out->tile_bytes, hashes_.size()});
  hashes_.resize(hashes_.size() + tiles);
}

// The head's rows are permuted, the fingerprint's are not: the tensor is hashed in a pass of its
// own.
void Loader::add_head() {
  const HyperParameters& h = model_->hyper_;
  const TensorInfo& embedding = model_->embedding_;
  model_->embedding_rows_ = read_all(embedding);
  const bool tied = !file_.find("output.weight");
  const TensorInfo& view = tied ? embedding : tensor("output.weight", h.width, h.vocabulary);
  if (!tied) head_rows_ = read_all(view);
  const std::uint8_t* bytes = tied ? model_->embedding_rows_.data() : head_rows_.data();
  std::vector<std::int64_t> rows(row_order_.begin(), row_order_.end());
  if (rows.empty()) {
    rows.resize(h.vocabulary);
    std::iota(rows.begin(), rows.end(), 0);
  }
  for (std::int64_t row : rows) {
    if (row < 0 || row >= h.vocabulary) {
      throw Error(ErrorKind::kModel, "a coded token is not in the model's vocabulary");
    }
  }
  model_->head_ = PackedMatrix(format_of(view), h.width, static_cast<int>(rows.size()));
  model_->row_of_.assign(h.vocabulary, -1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    model_->row_of_[rows[i]] = static_cast<std::int32_t>(i);
  }
  PackedMatrix& head = model_->head_;
  rows.resize(static_cast<std::size_t>(head.tiles) * kTile, -1);
  jobs_.push_back({&view, bytes, head.format, std::move(rows), static_cast<std::size_t>(head.tiles),
                   head.data.data(), head.tile_bytes, kNoHash});
  const auto hash_all = [&](const TensorInfo& table, const std::uint8_t* table_bytes) {
    const std::size_t tiles = (h.vocabulary + kTile - 1) / kTile;
    jobs_.push_back({&table, table_bytes, format_of(table), {}, tiles, nullptr, 0, hashes_.size()});
    hashes_.resize(hashes_.size() + tiles);
  };
  hash_all(embedding, model_->embedding_rows_.data());
  if (!tied) hash_all(view, bytes);
}

void Loader::refuse_unknown_tensors() const {
  for (const TensorInfo& view : file_.tensors()) {
    if (!known_.count(view.name)) {
      fail("the exact engine does not know the tensor '" + view.name + "'; use --backend llama");
    }
  }
}

AlignedBuffer Loader::read_all(const TensorInfo& tensor) {
  constexpr std::size_t kRowsPerTask = 1024;
  AlignedBuffer bytes(tensor.bytes());
  pool_.run((tensor.rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task, int) {
    const std::size_t first = task * kRowsPerTask;
    file_.read_rows(tensor, first, std::min(kRowsPerTask, tensor.rows - first),
                    bytes.data() + first * tensor.row_bytes);
  });
  return bytes;
}

void Loader::run_jobs() {
  struct Task {
    const Job* job;
    std::size_t first;
  };
  constexpr std::size_t kTilesPerTask = 8;
  std::vector<Task> tasks;
  for (const Job& job : jobs_) {
    for (std::size_t t = 0; t < job.tiles; t += kTilesPerTask) tasks.push_back({&job, t});
  }
  pool_.run(tasks.size(), [&](std::size_t index, int) {
    const Task& task = tasks[index];
    run_tiles(*task.job, task.first, std::min(task.first + kTilesPerTask, task.job->tiles));
  });
}

void Loader::run_tiles(const Job& job, std::size_t first, std::size_t end) {
  const TensorInfo& tensor = *job.tensor;
  std::vector<std::uint8_t> buffer;
  const std::uint8_t* bytes = job.bytes;
  std::size_t first_row = 0;  // of `bytes`
  if (!bytes) {
    first_row = first * kTile;
    const std::size_t count = std::min(end * kTile, tensor.rows) - first_row;
    buffer.resize(count * tensor.row_bytes);
    file_.read_rows(tensor, first_row, count, buffer.data());
    bytes = buffer.data();
  }
  for (std::size_t t = first; t < end; ++t) {
    TileRows rows;
    for (int o = 0; o < kTile; ++o) {
      const std::size_t i = t * kTile + o;
      const std::int64_t row = !job.rows.empty() ? job.rows[i]
                               : i < tensor.rows ? static_cast<std::int64_t>(i)
                                                 : -1;
      rows[o] = row < 0 ? nullptr : bytes + (row - first_row) * tensor.row_bytes;
    }
    std::uint8_t* tile = job.data ? job.data + t * job.tile_bytes : nullptr;
    const std::uint64_t hash = pack_tile(tensor, job.format, rows, tile);
    if (job.hash_slot != kNoHash) hashes_[job.hash_slot + t] = hash;
  }
}

void Loader::compute_fingerprint() {
  const HyperParameters& h = model_->hyper_;
  const auto add_bits = [this](const auto& value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(value));
    hashes_.push_back(bits);
  };
  for (int value : {h.layers, h.width, h.heads, h.kv_heads, h.head_dim, h.ffn_width, h.vocabulary,
                    h.rope_dims}) {
    add_bits(value);
  }
  add_bits(h.rms_epsilon);
  add_bits(h.rope_base);
  add_bits(h.rope_scale);
  add_bits(model_->start_token_);
  model_->fingerprint_ = XXH3_64bits(hashes_.data(), hashes_.size() * sizeof(hashes_[0]));
}

std::shared_ptr<const Weights> Weights::load(const std::string& path,
                                             std::span<const Token> row_order, int threads,
                                             Token start_token) {
  return Loader(path, row_order, threads, start_token).load();
}

void Weights::embed(Token token, float* out) const {
  if (token < 0 || token >= hyper_.vocabulary) {
    throw Error(ErrorKind::kData, "token " + std::to_string(token) + " is not in the vocabulary");
  }
  const std::size_t blocks = embedding_.columns / 32;
  const std::uint8_t* bytes =
      embedding_rows_.data() + static_cast<std::size_t>(token) * embedding_.row_bytes;
  if (format_of(embedding_) == Format::kU4) {
    std::vector<U4Block> row(blocks);
    decode_row(embedding_, bytes, row.data());
    for (std::size_t b = 0; b < blocks; ++b) expand(row[b], out + 32 * b);
  } else {
    std::vector<S8Block> row(blocks);
    decode_row(embedding_, bytes, row.data());
    for (std::size_t b = 0; b < blocks; ++b) expand(row[b], out + 32 * b);
  }
}

}  // namespace smll::weights
