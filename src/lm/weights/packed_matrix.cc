#include "lm/weights/packed_matrix.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "smll/error.h"

namespace smll::weights {

using exact::kS8BlockBytes;
using exact::kTile;
using exact::kU4BlockBytes;

AlignedBuffer::AlignedBuffer(std::size_t bytes) {
  constexpr std::size_t kHuge = std::size_t{2} << 20;
  const std::size_t align = bytes >= kHuge ? kHuge : 64;
  void* memory = nullptr;
  if (posix_memalign(&memory, align, bytes) != 0) {
    throw Error(ErrorKind::kMemory, "not enough memory for the model's weights or its window");
  }
  data_ = {static_cast<std::uint8_t*>(memory), [](std::uint8_t* p) { std::free(p); }};
#ifdef MADV_HUGEPAGE
  if (align == kHuge) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
}

PackedMatrix::PackedMatrix(Format kind, int inputs, int output_count)
    : format(kind),
      outputs(output_count),
      tiles((output_count + kTile - 1) / kTile),
      blocks(inputs / 32),
      tile_bytes(blocks * (kind == Format::kU4 ? kU4BlockBytes : kS8BlockBytes)),
      data(tile_bytes * tiles) {}

void pack(std::span<const U4Block> row, int output, std::uint8_t* tile) {
  for (const U4Block& block : row) {
    for (int v = 0; v < 4; ++v) std::memcpy(tile + v * 64 + output * 4, block.nibbles + 4 * v, 4);
    std::memcpy(tile + 256 + output * 2, &block.d, 2);
    std::memcpy(tile + 288 + output * 2, &block.m, 2);
    tile += kU4BlockBytes;
  }
}

void pack(std::span<const S8Block> row, int output, std::uint8_t* tile) {
  for (const S8Block& block : row) {
    for (int g = 0; g < 8; ++g) std::memcpy(tile + g * 64 + output * 4, block.q + 4 * g, 4);
    std::memcpy(tile + 512 + output * 4, &block.scale, 4);
    tile += kS8BlockBytes;
  }
}

namespace {

void take(const std::uint8_t* tile, int output, U4Block& block) {
  for (int v = 0; v < 4; ++v) std::memcpy(block.nibbles + 4 * v, tile + v * 64 + output * 4, 4);
  std::memcpy(&block.d, tile + 256 + output * 2, 2);
  std::memcpy(&block.m, tile + 288 + output * 2, 2);
}

void take(const std::uint8_t* tile, int output, S8Block& block) {
  for (int g = 0; g < 8; ++g) std::memcpy(block.q + 4 * g, tile + g * 64 + output * 4, 4);
  std::memcpy(&block.scale, tile + 512 + output * 4, 4);
}

template <typename Block>
void take_row(const PackedMatrix& matrix, int output, std::size_t block_bytes,
              std::span<Block> row) {
  const std::uint8_t* tile = matrix.tile(output / kTile);
  for (std::size_t b = 0; b < row.size(); ++b) take(tile + b * block_bytes, output % kTile, row[b]);
}

template <typename Block>
void unpack_blocks(const std::uint8_t* tile, std::size_t block_bytes, int output, int count,
                   float* out) {
  for (int b = 0; b < count; ++b) {
    Block block;
    take(tile + b * block_bytes, output, block);
    expand(block, out + 32 * b);
  }
}

}  // namespace

void unpack(const PackedMatrix& matrix, int output, std::span<U4Block> row) {
  take_row(matrix, output, kU4BlockBytes, row);
}

void unpack(const PackedMatrix& matrix, int output, std::span<S8Block> row) {
  take_row(matrix, output, kS8BlockBytes, row);
}

void unpack(const PackedMatrix& matrix, int output, int first, int count, float* out) {
  const std::uint8_t* tile = matrix.tile(output / kTile);
  if (matrix.format == Format::kU4) {
    unpack_blocks<U4Block>(tile + first * kU4BlockBytes, kU4BlockBytes, output % kTile, count, out);
  } else {
    unpack_blocks<S8Block>(tile + first * kS8BlockBytes, kS8BlockBytes, output % kTile, count, out);
  }
}

}  // namespace smll::weights
