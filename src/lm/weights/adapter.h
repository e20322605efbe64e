// What a model's matrices learned from texts, as differences of the integers that their quantized
// weights are made of: applying them is the same on every machine, and the adapted model is as fast
// as the plain one. docs/design/exactness.md ("Adapters") has the definition.
//
// The bytes of one, numbers little-endian or varints (base/varint.h):
//   "SMLA", u8 version 1, u64 fingerprint of the model (Weights::fingerprint())
//   varint: number of matrices, in ascending order of (layer, matrix), each
//     varint layer, u8 matrix (MatrixName), u8 form, varint outputs, varint inputs
//     varint size, and so many bytes: the differences, coded (lm/weights/difference_code.h)
//   u64 XXH3-64 of all before
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

#include "lm/weights/weights.h"
#include "smll/io.h"

namespace smll::weights {

// As numbered in files.
enum class MatrixName : std::uint8_t { kQuery, kKey, kValue, kOutput, kGate, kUp, kDown };
inline constexpr int kMatrixNames = 7;

const PackedMatrix& matrix_of(const LayerMatrices& matrices, MatrixName name);
PackedMatrix& matrix_of(LayerMatrices& matrices, MatrixName name);

// A matrix's place in a model.
struct MatrixPlace {
  int layer = 0;
  MatrixName name = MatrixName::kQuery;
  auto operator<=>(const MatrixPlace&) const = default;
};

// Immutable but for add(); may be shared by threads.
class Adapter {
 public:
  // Without differences, for the model of this fingerprint.
  explicit Adapter(std::uint64_t model) : model_(model) {}

  // Takes memory in proportion to the bytes. Throws Error(kData) for bytes that serialize() did not
  // write, as far as can be told without the model.
  static Adapter parse(ByteView bytes);
  Bytes serialize() const;

  // Notes what the model's matrix at `place` becomes: one of the same size, of the model's form or,
  // where that is U4, of S8. In ascending order of places; one that did not change is left out.
  // S8 blocks that differ
  // have scales as requantize_on_grid() makes them.
  void add(const Weights& model, MatrixPlace place, const PackedMatrix& to);

  // Fingerprint of the model that it is for.
  std::uint64_t model() const { return model_; }
  // XXH3-64 of its bytes.
  std::uint64_t hash() const;
  std::size_t matrices() const { return changes_.size(); }

  // Throws as apply() does, as far as can be told without the differences themselves.
  void check_fits(const Weights& model) const;
  // The model with the differences: a model of its own that shares what they leave as it is. Throws
  // Error(kModel) for another model than the adapter's, Error(kData) where the differences do not
  // fit it.
  std::shared_ptr<const Weights> apply(const Weights& model, int threads) const;
  // Bytes that apply() takes besides the model.
  std::uint64_t memory(const Weights& model) const;

 private:
  struct Change {
    MatrixPlace place;
    Format format = Format::kS8;
    std::uint64_t outputs = 0, inputs = 0;
    Bytes code;
  };

  void check(const Change& change, const Weights& model) const;

  std::uint64_t model_;
  std::vector<Change> changes_;
};

// A matrix in the form that differences are of: itself or, where it is U4 and S8 is asked for, its
// weights requantized.
PackedMatrix in_format(const PackedMatrix& matrix, Format format);

// The S8 form of 32 values, with the least scale that holds them and that differences can say,
// given the scale that the block has in the model.
void requantize_on_grid(const float* values, float model_scale, S8Block& out);

}  // namespace smll::weights
