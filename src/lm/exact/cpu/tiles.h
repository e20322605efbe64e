// AMX's tile registers (Intel SDM volume 1, chapter 18): eight of up to 16 rows of 64 bytes. Used
// by amx.cc alone.
//
// Assembly instead of intrinsics: those of GCC 12 do not say that they read or write memory, so
// that the compiler drops or moves the stores that they read. In the test build that emulates
// AVX-512 they are plain loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lm/exact/cpu/avx512_intrinsics.h"

namespace smll::exact {
namespace {

// What ldtilecfg reads: palette 1, and for each tile the bytes of a row and the rows.
struct alignas(64) TileShapes {
  std::uint8_t palette = 0;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

#if defined(SMLL_AVX512_NATIVE)

inline void load_shapes(const TileShapes& shapes) {
  asm volatile("ldtilecfg %0" : : "m"(shapes) : "memory");
}
inline void store_shapes(TileShapes& shapes) {
  asm volatile("sttilecfg %0" : "=m"(shapes) : : "memory");
}
template <int T>
inline void tile_zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(T));
}
template <int T>
inline void tile_load(const void* from, std::size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(T) : "memory");
}
template <int T>
inline void tile_store(void* to, std::size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(T) : "memory");
}
// Tile C of int32 += tile A of bytes times tile B of bytes: C[m][n] += sum over k, i of
// A[m][4k + i] * B[k][4n + i]. The letters say which of A and B are signed.
template <int C, int A, int B>
inline void tile_add_signed_signed() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
}
template <int C, int A, int B>
inline void tile_add_signed_unsigned() {
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
}
template <int C, int A, int B>
inline void tile_add_unsigned_signed() {
  asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
}

#else

struct TileFile {
  TileShapes shapes;
  std::uint8_t bytes[8][16][64];
};
inline TileFile& tile_file() {
  static thread_local TileFile file;
  return file;
}

inline void load_shapes(const TileShapes& shapes) {
  tile_file() = {};
  tile_file().shapes = shapes;
}
inline void store_shapes(TileShapes& shapes) { shapes = tile_file().shapes; }
template <int T>
inline void tile_zero() {
  std::memset(tile_file().bytes[T], 0, sizeof tile_file().bytes[T]);
}
template <int T>
inline void tile_load(const void* from, std::size_t stride) {
  TileFile& f = tile_file();
  tile_zero<T>();
  for (int r = 0; r < f.shapes.rows[T]; ++r) {
    std::memcpy(f.bytes[T][r], static_cast<const std::uint8_t*>(from) + r * stride,
                f.shapes.row_bytes[T]);
  }
}
template <int T>
inline void tile_store(void* to, std::size_t stride) {
  const TileFile& f = tile_file();
  for (int r = 0; r < f.shapes.rows[T]; ++r) {
    std::memcpy(static_cast<std::uint8_t*>(to) + r * stride, f.bytes[T][r], f.shapes.row_bytes[T]);
  }
}
template <int C, int A, int B, typename TypeA, typename TypeB>
inline void tile_add() {
  TileFile& f = tile_file();
  for (int m = 0; m < f.shapes.rows[C]; ++m) {
    for (int n = 0; n < f.shapes.row_bytes[C] / 4; ++n) {
      std::int32_t sum;
      std::memcpy(&sum, f.bytes[C][m] + 4 * n, 4);
      for (int i = 0; i < f.shapes.row_bytes[A]; ++i) {
        sum += static_cast<TypeA>(f.bytes[A][m][i]) *
               static_cast<TypeB>(f.bytes[B][i / 4][4 * n + i % 4]);
      }
      std::memcpy(f.bytes[C][m] + 4 * n, &sum, 4);
    }
  }
}
template <int C, int A, int B>
inline void tile_add_signed_signed() {
  tile_add<C, A, B, std::int8_t, std::int8_t>();
}
template <int C, int A, int B>
inline void tile_add_signed_unsigned() {
  tile_add<C, A, B, std::int8_t, std::uint8_t>();
}
template <int C, int A, int B>
inline void tile_add_unsigned_signed() {
  tile_add<C, A, B, std::uint8_t, std::int8_t>();
}

#endif

}  // namespace
}  // namespace smll::exact
