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
#include "lm/weights/families.h"
#include "lm/weights/tensor_type.h"
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
  Loader(const GgufFile& file, const std::function<Coding()>& coding, int threads)
      : model_(std::make_shared<Weights>()),
        file_(file),
        coding_(coding),
        pool_(std::make_shared<ThreadPool>(threads)) {}

  std::shared_ptr<const Weights> load() {
    const FpEnv environment;
    file_.require_matrices();
    read_spec();
    read_norms_and_factors();
    model_->layers_.resize(model_->spec_.layers.size());
    for (std::size_t i = 0; i < model_->layers_.size(); ++i) add_layer(i);
    add_hashes_of_head();
    refuse_unknown_tensors();
    run_jobs();
    const Coding coding = coding_();
    read_start_token(coding.start_token);
    add_head(coding.row_order);
    run_jobs();
    keep_embeddings();
    compute_fingerprint();
    return model_;
  }

 private:
  // Tiles of a tensor's rows, to be packed, hashed or both.
  struct Job {
    const TensorInfo* tensor;
    std::vector<std::int64_t> rows;  // of every tile, -1: none; or empty: in order
    std::size_t tiles;
    PackedMatrix* matrix;   // or null
    std::size_t hash_slot;  // of the first tile, or kNoHash
  };
  static constexpr std::size_t kNoHash = ~std::size_t{0};

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kModel, file_.path() + ": " + what);
  }

  void read_spec();
  void read_start_token(Token start);
  void read_norms_and_factors();
  const TensorInfo& tensor(const std::string& name, int columns, int rows);
  std::vector<float> vector(const std::string& name, int size);
  std::vector<std::int64_t> head_order(int heads) const;
  std::vector<float> head_vector(const std::string& name, int heads);
  void add_layer(std::size_t index);
  void add_biases(const std::string& prefix, Layer& layer);
  void add_matrix(const std::string& name, int inputs, int outputs, PackedMatrix* out);
  void add_head_matrix(const std::string& name, int heads, PackedMatrix* out);
  void add_rows(const TensorInfo& view, std::vector<std::int64_t> rows, PackedMatrix* out);
  void add_hashes_of_head();
  void add_head(std::span<const Token> row_order);
  void keep_embeddings();
  void refuse_unknown_tensors() const;
  void read_rows(const TensorInfo& tensor, std::span<const std::int64_t> rows, std::uint8_t* out);
  void run_jobs();
  void run_tiles(const Job& job, std::size_t first, std::size_t end);
  void compute_fingerprint();

  std::shared_ptr<Weights> model_;
  const GgufFile& file_;
  const std::function<Coding()>& coding_;
  ThreadPool::Client pool_;
  std::set<std::string> known_;
  std::vector<Job> jobs_;
  bool tied_ = false;  // the head's rows are the embeddings
  std::vector<std::uint64_t> hashes_;
};

void Loader::read_spec() {
  model_->spec_ = weights::read_spec(file_);
  const ModelSpec& spec = model_->spec_;
  model_->embedding_ = tensor("token_embd.weight", spec.width, spec.vocabulary);
  format_of(model_->embedding_);
}

void Loader::read_start_token(Token start) {
  std::uint64_t token = static_cast<std::uint64_t>(start);
  if (start == Coding::kNamedByFile) {
    token = file_.integer("tokenizer.ggml.bos_token_id")
                .value_or(file_.integer("tokenizer.ggml.eos_token_id").value_or(0));
  }
  if (token >= static_cast<std::uint64_t>(model_->spec_.vocabulary)) {
    fail("the start token is not in the vocabulary");
  }
  model_->start_token_ = static_cast<Token>(token);
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
  if (view.type != kF32) fail("tensor '" + name + "' is not of type F32");
  file_.read_rows(view, 0, 1, reinterpret_cast<std::uint8_t*>(values.data()));
  for (float value : values) {
    if (!std::isfinite(value)) fail("tensor '" + name + "' holds values that are not finite");
  }
  hashes_.push_back(XXH3_64bits(values.data(), values.size() * sizeof(float)));
  return values;
}

void Loader::read_norms_and_factors() {
  const ModelSpec& spec = model_->spec_;
  model_->output_norm_ = vector("output_norm.weight", spec.width);
  if (file_.find("rope_freqs.weight")) {
    Rotation& rotation = model_->spec_.rotations.front();
    rotation.factors = vector("rope_freqs.weight", rotation.dims / 2);
    for (float factor : rotation.factors) {
      if (!(factor > 1e-6f && factor < 1e6f)) fail("a factor in rope_freqs.weight is out of range");
    }
  }
}

// From the order of rows in the file to that of the model, head by head.
std::vector<std::int64_t> Loader::head_order(int heads) const {
  const ModelSpec& spec = model_->spec_;
  std::vector<std::int64_t> order(static_cast<std::size_t>(heads) * spec.head_dim);
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<std::int64_t>(row_of_head(spec, i));
  }
  return order;
}

// A vector with one value for each dimension of so many heads of queries or keys.
std::vector<float> Loader::head_vector(const std::string& name, int heads) {
  std::vector<float> values = vector(name, heads * model_->spec_.head_dim);
  if (model_->spec_.pairs == RotaryPairs::kNeighbours) return values;
  const std::vector<std::int64_t> order = head_order(heads);
  std::vector<float> ordered(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) ordered[i] = values[order[i]];
  return ordered;
}

void Loader::add_layer(std::size_t index) {
  const ModelSpec& spec = model_->spec_;
  Layer& layer = model_->layers_[index];
  const std::string prefix = "blk." + std::to_string(index) + ".";
  layer.attention_norm = vector(prefix + "attn_norm.weight", spec.width);
  layer.ffn_norm = vector(prefix + "ffn_norm.weight", spec.width);
  if (spec.query_key_norms) {
    layer.query_norm = head_vector(prefix + "attn_q_norm.weight", 1);
    layer.key_norm = head_vector(prefix + "attn_k_norm.weight", 1);
  }
  if (spec.post_norms) {
    layer.attention_post_norm = vector(prefix + "post_attention_norm.weight", spec.width);
    layer.ffn_post_norm = vector(prefix + "post_ffw_norm.weight", spec.width);
  }
  add_biases(prefix, layer);
  LayerMatrices& to = layer.matrices;
  add_head_matrix(prefix + "attn_q.weight", spec.heads, &to.query);
  add_head_matrix(prefix + "attn_k.weight", spec.kv_heads, &to.key);
  add_matrix(prefix + "attn_v.weight", spec.width, spec.key_width(), &to.value);
  add_matrix(prefix + "attn_output.weight", spec.query_width(), spec.width, &to.output);
  add_matrix(prefix + "ffn_gate.weight", spec.width, spec.ffn_width, &to.gate);
  add_matrix(prefix + "ffn_up.weight", spec.width, spec.ffn_width, &to.up);
  add_matrix(prefix + "ffn_down.weight", spec.ffn_width, spec.width, &to.down);
}

// Any family may have them; of queries, keys and values all or none.
void Loader::add_biases(const std::string& prefix, Layer& layer) {
  const ModelSpec& spec = model_->spec_;
  if (file_.find(prefix + "attn_q.bias")) {
    layer.qkv_bias = head_vector(prefix + "attn_q.bias", spec.heads);
    for (const std::vector<float>& part : {head_vector(prefix + "attn_k.bias", spec.kv_heads),
                                           vector(prefix + "attn_v.bias", spec.key_width())}) {
      layer.qkv_bias.insert(layer.qkv_bias.end(), part.begin(), part.end());
    }
  }
  if (file_.find(prefix + "attn_output.bias")) {
    layer.output_bias = vector(prefix + "attn_output.bias", spec.width);
  }
}

void Loader::add_matrix(const std::string& name, int inputs, int outputs, PackedMatrix* out) {
  add_rows(tensor(name, inputs, outputs), {}, out);
}

// Of queries or keys: in the order of their heads' dimensions.
void Loader::add_head_matrix(const std::string& name, int heads, PackedMatrix* out) {
  const ModelSpec& spec = model_->spec_;
  const TensorInfo& view = tensor(name, spec.width, heads * spec.head_dim);
  const bool ordered = spec.pairs == RotaryPairs::kNeighbours;
  add_rows(view, ordered ? std::vector<std::int64_t>{} : head_order(heads), out);
}

// `rows`: of the tensor, in the order wanted; empty: as they are.
void Loader::add_rows(const TensorInfo& view, std::vector<std::int64_t> rows, PackedMatrix* out) {
  *out = PackedMatrix(format_of(view), static_cast<int>(view.columns), static_cast<int>(view.rows));
  const auto tiles = static_cast<std::size_t>(out->tiles);
  if (!rows.empty()) rows.resize(tiles * kTile, -1);
  jobs_.push_back({&view, std::move(rows), tiles, out, hashes_.size()});
  hashes_.resize(hashes_.size() + tiles);
}

// The head's rows are permuted, the fingerprint's are not: the tensor is hashed in a pass of its
// own, which also brings the file into memory in order.
void Loader::add_hashes_of_head() {
  const ModelSpec& spec = model_->spec_;
  const auto add = [&](const TensorInfo& view) {
    format_of(view);
    const std::size_t tiles = (view.rows + kTile - 1) / kTile;
    jobs_.push_back({&view, {}, tiles, nullptr, hashes_.size()});
    hashes_.resize(hashes_.size() + tiles);
  };
  add(model_->embedding_);
  tied_ = !file_.find("output.weight");
  if (!tied_) add(tensor("output.weight", spec.width, spec.vocabulary));
}

void Loader::add_head(std::span<const Token> row_order) {
  const ModelSpec& spec = model_->spec_;
  std::vector<std::int64_t> rows(row_order.begin(), row_order.end());
  if (rows.empty()) {
    rows.resize(spec.vocabulary);
    std::iota(rows.begin(), rows.end(), 0);
  }
  for (std::int64_t row : rows) {
    if (row < 0 || row >= spec.vocabulary) {
      throw Error(ErrorKind::kModel, "a coded token is not in the model's vocabulary");
    }
  }
  const TensorInfo& view = tied_ ? model_->embedding_ : *file_.find("output.weight");
  PackedMatrix& head = model_->head_;
  head = PackedMatrix(format_of(view), spec.width, static_cast<int>(rows.size()));
  model_->row_of_.assign(spec.vocabulary, -1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    model_->row_of_[rows[i]] = static_cast<std::int32_t>(i);
  }
  const auto tiles = static_cast<std::size_t>(head.tiles);
  rows.resize(tiles * kTile, -1);
  jobs_.push_back({&view, std::move(rows), tiles, &head, kNoHash});
}

// Those that the head does not have.
void Loader::keep_embeddings() {
  const TensorInfo& embedding = model_->embedding_;
  std::vector<std::int64_t> rows;
  if (tied_) {
    model_->embedding_of_.assign(embedding.rows, -1);
    for (std::size_t token = 0; token < embedding.rows; ++token) {
      if (model_->row_of_[token] >= 0) continue;
      model_->embedding_of_[token] = static_cast<std::int32_t>(rows.size());
      rows.push_back(static_cast<std::int64_t>(token));
    }
  } else {
    rows.resize(embedding.rows);
    std::iota(rows.begin(), rows.end(), 0);
  }
  model_->embedding_rows_ =
      AlignedBuffer(std::max<std::size_t>(rows.size(), 1) * embedding.row_bytes);
  constexpr std::size_t kRowsPerTask = 1024;
  pool_.run((rows.size() + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task, int) {
    const std::size_t first = task * kRowsPerTask;
    const std::size_t count = std::min(kRowsPerTask, rows.size() - first);
    read_rows(embedding, std::span(rows).subspan(first, count),
              model_->embedding_rows_.data() + first * embedding.row_bytes);
  });
}

void Loader::refuse_unknown_tensors() const {
  for (const TensorInfo& view : file_.tensors()) {
    if (!known_.count(view.name)) {
      fail("the exact engine does not know the tensor '" + view.name + "'; use --backend llama");
    }
  }
}

// Rows of a tensor as the file has them; -1: nothing. Neighbours are read at once.
void Loader::read_rows(const TensorInfo& tensor, std::span<const std::int64_t> rows,
                       std::uint8_t* out) {
  for (std::size_t first = 0, end = 0; first < rows.size(); first = end) {
    end = first + 1;
    if (rows[first] < 0) continue;
    while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
    file_.read_rows(tensor, static_cast<std::size_t>(rows[first]), end - first,
                    out + first * tensor.row_bytes);
  }
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
  jobs_.clear();
}

void Loader::run_tiles(const Job& job, std::size_t first, std::size_t end) {
  const TensorInfo& tensor = *job.tensor;
  const std::size_t count = (end - first) * kTile;
  std::vector<std::int64_t> rows(count, -1);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = first * kTile + i;
    if (!job.rows.empty()) {
      rows[i] = job.rows[row];
    } else if (row < tensor.rows) {
      rows[i] = static_cast<std::int64_t>(row);
    }
  }
  std::vector<std::uint8_t> bytes(count * tensor.row_bytes);
  read_rows(tensor, rows, bytes.data());
  for (std::size_t t = first; t < end; ++t) {
    TileRows of_tile;
    for (int o = 0; o < kTile; ++o) {
      const std::size_t i = (t - first) * kTile + o;
      of_tile[o] = rows[i] < 0 ? nullptr : bytes.data() + i * tensor.row_bytes;
    }
    std::uint8_t* tile = job.matrix ? job.matrix->tile(static_cast<int>(t)) : nullptr;
    const std::uint64_t hash = pack_tile(tensor, format_of(tensor), of_tile, tile);
    if (job.hash_slot != kNoHash) hashes_[job.hash_slot + t] = hash;
  }
}

// The numbers that all families have come as they always did; those of a family other than llama
// follow, with its name.
void Loader::compute_fingerprint() {
  const ModelSpec& spec = model_->spec_;
  const auto add_bits = [this](const auto& value) {
    std::uint64_t bits = 0;
    static_assert(sizeof(value) <= sizeof(bits));
    std::memcpy(&bits, &value, sizeof(value));
    hashes_.push_back(bits);
  };
  const Rotation& rotation = spec.rotations.front();
  for (int value : {static_cast<int>(spec.layers.size()), spec.width, spec.heads, spec.kv_heads,
                    spec.head_dim, spec.ffn_width, spec.vocabulary, rotation.dims}) {
    add_bits(value);
  }
  add_bits(spec.rms_epsilon);
  add_bits(rotation.base);
  add_bits(rotation.scale);
  add_bits(model_->start_token_);
  if (spec.architecture != "llama") {
    hashes_.push_back(XXH3_64bits(spec.architecture.data(), spec.architecture.size()));
    for (const float value : {spec.embedding_scale, spec.attention_scale, spec.residual_scale,
                              spec.logit_scale, spec.logit_cap}) {
      add_bits(value);
    }
    add_bits(spec.rotations.back().base);
    for (const LayerSpec& layer : spec.layers) {
      add_bits(layer.rotation);
      add_bits(layer.local_window);
    }
  }
  model_->fingerprint_ = XXH3_64bits(hashes_.data(), hashes_.size() * sizeof(hashes_[0]));
}

std::size_t row_of_head(const ModelSpec& spec, std::size_t row) {
  if (spec.pairs == RotaryPairs::kNeighbours) return row;
  const auto half = static_cast<std::size_t>(spec.rotations.front().dims / 2);
  const std::size_t d = row % static_cast<std::size_t>(spec.head_dim);
  return d < 2 * half ? row - d + d / 2 + d % 2 * half : row;
}

std::shared_ptr<const Weights> Weights::load(const std::string& path, const Coding& coding,
                                             int threads) {
  const GgufFile file(path);
  return load_with(
      file, [&coding] { return coding; }, threads);
}

std::shared_ptr<const Weights> Weights::load_with(const GgufFile& file,
                                                  const std::function<Coding()>& coding,
                                                  int threads) {
  return Loader(file, coding, threads).load();
}

std::shared_ptr<const Weights> Weights::with_layers(const Weights& model, std::vector<Layer> layers,
                                                    std::uint64_t fingerprint) {
  auto altered = std::make_shared<Weights>(model);
  altered->layers_ = std::move(layers);
  altered->fingerprint_ = fingerprint;
  return altered;
}

namespace {

template <typename Block>
void decode_embedding(const TensorInfo& tensor, const std::uint8_t* bytes, float* out) {
  std::vector<Block> row(tensor.columns / 32);
  decode_row(tensor, bytes, row.data());
  for (std::size_t b = 0; b < row.size(); ++b) expand(row[b], out + 32 * b);
}

}  // namespace

void Weights::embed(Token token, float* out) const {
  if (token < 0 || token >= spec_.vocabulary) {
    throw Error(ErrorKind::kData, "token " + std::to_string(token) + " is not in the vocabulary");
  }
  std::int64_t row = token;
  if (!embedding_of_.empty()) {
    row = embedding_of_[token];
    if (row < 0) return unpack(head_, row_of_[token], 0, head_.blocks, out);
  }
  const std::uint8_t* bytes =
      embedding_rows_.data() + static_cast<std::size_t>(row) * embedding_.row_bytes;
  if (format_of(embedding_) == Format::kU4) {
    decode_embedding<U4Block>(embedding_, bytes, out);
  } else {
    decode_embedding<S8Block>(embedding_, bytes, out);
  }
}

}  // namespace smll::weights
