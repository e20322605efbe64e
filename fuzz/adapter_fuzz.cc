// An adapter that may say anything behind its first bytes: reading it, and applying what was
// accepted to the small generated model.
#include <xxhash.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "format/byte_io.h"
#include "lm/weights/adapter.h"
#include "smll/error.h"

namespace {

using namespace smll;

const weights::Weights& model() {
  static const auto loaded = weights::Weights::load(std::getenv("SMLL_MODEL"), {}, 1);
  return *loaded;
}

// Nothing gives weights that are no numbers.
void check(const weights::PackedMatrix& matrix) {
  std::vector<float> row(static_cast<std::size_t>(matrix.blocks) * exact::kBlock);
  for (int o = 0; o < matrix.outputs; ++o) {
    weights::unpack(matrix, o, 0, matrix.blocks, row.data());
    for (const float value : row) {
      if (!std::isfinite(value)) std::abort();
    }
  }
}

void apply(ByteView bytes) {
  try {
    const auto adapter = weights::Adapter::parse(bytes);
    if (adapter.serialize() != Bytes(bytes.begin(), bytes.end())) std::abort();
    const auto adapted = adapter.apply(model(), 1);
    for (const weights::Layer& layer : adapted->layers()) {
      for (int i = 0; i < weights::kMatrixNames; ++i) {
        check(weights::matrix_of(layer.matrices, static_cast<weights::MatrixName>(i)));
      }
    }
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  apply({data, size});
  // With the beginning and the checksum right, so that the rest is looked at.
  Bytes bytes = weights::Adapter(model().fingerprint()).serialize();
  bytes.resize(13);
  bytes.insert(bytes.end(), data, data + size);
  format::put_u64(bytes, XXH3_64bits(bytes.data(), bytes.size()));
  apply(bytes);
  return 0;
}
