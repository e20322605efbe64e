// Weights in the tiles that the kernels read (lm/exact/cpu/layout.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "lm/exact/cpu/layout.h"
#include "lm/weights/gguf_decode.h"

namespace smll::weights {

// Uninitialized memory aligned to 64 bytes, on huge pages where it is large. Copies share it.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes);
  std::uint8_t* data() { return data_.get(); }
  const std::uint8_t* data() const { return data_.get(); }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  std::shared_ptr<std::uint8_t[]> data_;
};

// outputs x inputs weights in tiles; outputs beyond the last are zero. Copies share the tiles.
struct PackedMatrix {
  Format format = Format::kS8;
  int outputs = 0;
  int tiles = 0;
  int blocks = 0;  // inputs / 32
  std::size_t tile_bytes = 0;
  AlignedBuffer data;

  PackedMatrix() = default;
  // With room for all tiles, nothing in them yet.
  PackedMatrix(Format format, int inputs, int outputs);

  std::uint8_t* tile(int index) { return data.data() + index * tile_bytes; }
  const std::uint8_t* tile(int index) const { return data.data() + index * tile_bytes; }
};

// Puts one output's blocks, from the first on, into a tile; `output` is its place there, 0..15.
void pack(std::span<const U4Block> row, int output, std::uint8_t* tile);
void pack(std::span<const S8Block> row, int output, std::uint8_t* tile);
// The opposite, of a matrix of the blocks' format: all blocks of one output.
void unpack(const PackedMatrix& matrix, int output, std::span<U4Block> row);
void unpack(const PackedMatrix& matrix, int output, std::span<S8Block> row);
// The weights of one output from block `first` on: 32 * `count` floats.
void unpack(const PackedMatrix& matrix, int output, int first, int count, float* out);

}  // namespace smll::weights
