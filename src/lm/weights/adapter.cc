#include "lm/weights/adapter.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/fp_env.h"
#include "base/thread_pool.h"
#include "format/byte_io.h"
#include "lm/quantize.h"
#include "lm/weights/difference_code.h"
#include "smll/error.h"

namespace smll::weights {

namespace {

constexpr char kMagic[] = {'S', 'M', 'L', 'A'};
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHashBytes = sizeof(std::uint64_t);

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::kData, "the adapter is damaged: " + what);
}

std::uint64_t hash_of(ByteView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

ByteView take(ByteView& in, std::size_t count) {
  if (in.size() < count) fail("it is cut off");
  const ByteView taken = in.first(count);
  in = in.subspan(count);
  return taken;
}

std::uint8_t take_byte(ByteView& in) { return take(in, 1)[0]; }

}  // namespace

const PackedMatrix& matrix_of(const LayerMatrices& matrices, MatrixName name) {
  constexpr PackedMatrix LayerMatrices::*kMatrices[] = {
      &LayerMatrices::query, &LayerMatrices::key, &LayerMatrices::value, &LayerMatrices::output,
      &LayerMatrices::gate,  &LayerMatrices::up,  &LayerMatrices::down};
  return matrices.*kMatrices[static_cast<int>(name)];
}

PackedMatrix& matrix_of(LayerMatrices& matrices, MatrixName name) {
  return const_cast<PackedMatrix&>(matrix_of(std::as_const(matrices), name));
}

Adapter Adapter::parse(ByteView bytes) {
  ByteView in = bytes;
  if (in.size() < sizeof(kMagic) || std::memcmp(in.data(), kMagic, sizeof(kMagic)) != 0) {
    throw Error(ErrorKind::kData, "this is no adapter: it does not begin with 'SMLA'");
  }
  in = in.subspan(sizeof(kMagic));
  const std::uint8_t version = take_byte(in);
  if (version != kVersion) {
    throw Error(ErrorKind::kData, fmt::format("the adapter has version {}, which this smll does "
                                              "not know; a newer one may",
                                              version));
  }
  if (in.size() < kHashBytes) fail("it is cut off");
  const ByteView hash = in.last(kHashBytes);
  in = in.first(in.size() - kHashBytes);
  if (format::load_le<std::uint64_t>(hash.data()) !=
      hash_of(bytes.first(bytes.size() - kHashBytes))) {
    fail("its checksum is wrong");
  }
  Adapter adapter(format::load_le<std::uint64_t>(take(in, sizeof(std::uint64_t)).data()));
  for (std::uint64_t left = take_varint(in); left > 0; --left) {
    Change change;
    const std::uint64_t layer = take_varint(in);
    const std::uint8_t name = take_byte(in);
    const std::uint8_t format = take_byte(in);
    if (layer > 0xffff || name >= kMatrixNames || format > 1) fail("it names no matrix");
    change.place = {static_cast<int>(layer), MatrixName{name}};
    if (!adapter.changes_.empty() && !(adapter.changes_.back().place < change.place)) {
      fail("its matrices are out of order");
    }
    change.format = format == 0 ? Format::kU4 : Format::kS8;
    change.outputs = take_varint(in);
    change.inputs = take_varint(in);
    const std::uint64_t size = take_varint(in);
    if (size == 0 || size > in.size()) fail("it is cut off");
    const ByteView code = take(in, size);
    change.code.assign(code.begin(), code.end());
    adapter.changes_.push_back(std::move(change));
  }
  if (!in.empty()) fail("something follows its end");
  return adapter;
}

Bytes Adapter::serialize() const {
  Bytes out(std::begin(kMagic), std::end(kMagic));
  out.push_back(kVersion);
  format::put_u64(out, model_);
  put_varint(out, changes_.size());
  for (const Change& change : changes_) {
    put_varint(out, static_cast<std::uint64_t>(change.place.layer));
    out.push_back(static_cast<std::uint8_t>(change.place.name));
    out.push_back(change.format == Format::kU4 ? 0 : 1);
    put_varint(out, change.outputs);
    put_varint(out, change.inputs);
    put_varint(out, change.code.size());
    out.insert(out.end(), change.code.begin(), change.code.end());
  }
  format::put_u64(out, hash_of(out));
  return out;
}

std::uint64_t Adapter::hash() const { return hash_of(serialize()); }

void Adapter::add(const Weights& model, MatrixPlace place, const PackedMatrix& to) {
  const FpEnv environment;
  const PackedMatrix& from = matrix_of(model.layers()[place.layer].matrices, place.name);
  Bytes code = code_differences(in_format(from, to.format), to);
  if (code.empty()) return;
  changes_.push_back({place, to.format, static_cast<std::uint64_t>(from.outputs),
                      static_cast<std::uint64_t>(from.blocks) * exact::kBlock, std::move(code)});
}

void Adapter::check(const Change& change, const Weights& model) const {
  if (static_cast<std::size_t>(change.place.layer) >= model.layers().size()) {
    fail("it has more layers than the model");
  }
  const PackedMatrix& from =
      matrix_of(model.layers()[change.place.layer].matrices, change.place.name);
  if (change.outputs != static_cast<std::uint64_t>(from.outputs) ||
      change.inputs != static_cast<std::uint64_t>(from.blocks) * exact::kBlock) {
    fail("a matrix has another size than the model's");
  }
  if (change.format == Format::kU4 && from.format != Format::kU4) {
    fail("a matrix has another form than the model's");
  }
}

void Adapter::check_fits(const Weights& model) const {
  if (model.fingerprint() != model_) {
    throw Error(ErrorKind::kModel,
                fmt::format("the adapter was made for the model with fingerprint {:016x}, and this "
                            "one has {:016x}; use the model that it was made for",
                            model_, model.fingerprint()));
  }
  for (const Change& change : changes_) check(change, model);
}

std::shared_ptr<const Weights> Adapter::apply(const Weights& model, int threads) const {
  check_fits(model);
  const FpEnv environment;
  std::vector<Layer> layers = model.layers();
  ThreadPool::Client pool(shared_pool(threads));
  pool.run(changes_.size(), [&](std::size_t i, int) {
    const Change& change = changes_[i];
    PackedMatrix& matrix = matrix_of(layers[change.place.layer].matrices, change.place.name);
    matrix = add_differences(in_format(matrix, change.format), change.code);
  });
  const std::uint64_t both[] = {model_, hash()};
  return Weights::with_layers(model, std::move(layers), XXH3_64bits(both, sizeof(both)));
}

std::uint64_t Adapter::memory(const Weights& model) const {
  std::uint64_t bytes = 0;
  for (const Change& change : changes_) {
    check(change, model);
    const std::size_t block =
        change.format == Format::kU4 ? exact::kU4BlockBytes : exact::kS8BlockBytes;
    const std::uint64_t tiles = (change.outputs + exact::kTile - 1) / exact::kTile;
    bytes += tiles * (change.inputs / exact::kBlock) * block;
  }
  return bytes;
}

PackedMatrix in_format(const PackedMatrix& matrix, Format format) {
  if (matrix.format == format) return matrix;
  PackedMatrix to(format, matrix.blocks * exact::kBlock, matrix.outputs);
  std::vector<float> values(static_cast<std::size_t>(matrix.blocks) * exact::kBlock);
  std::vector<S8Block> row(matrix.blocks);
  for (int o = 0; o < matrix.tiles * exact::kTile; ++o) {
    unpack(matrix, o, 0, matrix.blocks, values.data());
    for (int b = 0; b < matrix.blocks; ++b) {
      requantize(values.data() + static_cast<std::size_t>(b) * exact::kBlock, &row[b]);
    }
    pack(std::span<const S8Block>(row), o % exact::kTile, to.tile(o / exact::kTile));
  }
  return to;
}

void requantize_on_grid(const float* values, float model_scale, S8Block& out) {
  constexpr std::int64_t kStep = std::int64_t{1} << kScaleShift;
  requantize(values, &out);
  const std::int64_t old = order_of(model_scale);
  const std::int64_t ahead = order_of(out.scale) - old;
  std::int64_t steps = ahead / kStep;
  if (steps * kStep < ahead) ++steps;
  out.scale = float_of(static_cast<std::int32_t>(old + steps * kStep));
  const float inverse = out.scale > 1e-30f ? 1.0f / out.scale : 0.0f;
  for (int i = 0; i < exact::kBlock; ++i) out.q[i] = quantized(values[i], inverse);
}

}  // namespace smll::weights
