// Kernels for AMX, which multiplies tiles of 16 rows by 16 outputs. It takes what AVX-512 has, and
// its own three where there are rows enough to fill a tile. See scalar.cc for what each computes.
#include "lm/exact/cpu/avx512_intrinsics.h"
#include "lm/exact/cpu/kernels.h"

// GCC names the flag -mamx-int8 __AMX_INT8__; Clang before 15 names it __AMXINT8__.
#if defined(SMLL_AVX512_SIMDE) || \
    (defined(SMLL_AVX512_NATIVE) && (defined(__AMX_INT8__) || defined(__AMXINT8__)))
#include <cstring>
#include <utility>

#include "lm/exact/cpu/tiles.h"

namespace smll::exact {
namespace {

#include "lm/exact/cpu/prefetch.inc"

constexpr int kTileRows = 16;
// Fewer rows are faster with AVX-512; more so where weights must be unpacked first.
constexpr int kMinRows = 5;
constexpr int kMinU4Rows = 17;

// Which shapes this thread's tiles have: the rows of the rest (use_gemm_shapes), or one of these.
constexpr int kNoShapes = -1;
constexpr int kValueShapes = -2;
thread_local int current_shapes = kNoShapes;
// The tiles of the code that called the engine.
thread_local TileShapes callers_shapes;

void enter() {
  store_shapes(callers_shapes);
  current_shapes = kNoShapes;
}

void leave() {
  load_shapes(callers_shapes);
  current_shapes = kNoShapes;
}

void set_shapes(TileShapes& shapes, int tile, int rows, int row_bytes) {
  shapes.rows[tile] = static_cast<std::uint8_t>(rows);
  shapes.row_bytes[tile] = static_cast<std::uint16_t>(row_bytes);
}

// The products' tiles. A: activations, a block of 32 inputs a row. B: weights, the same block of 16
// outputs. C: 16 rows of 16 outputs. kRest: the rows that do not fill a tile.
constexpr int kC[2] = {0, 1};
constexpr int kRestC[2] = {2, 3};
constexpr int kA = 4;
constexpr int kRestA = 5;
constexpr int kB[2] = {6, 7};

void use_gemm_shapes(int rest) {
  if (current_shapes == rest) return;
  TileShapes shapes;
  shapes.palette = 1;
  const int rest_rows = rest > 1 ? rest : 1;
  set_shapes(shapes, kA, kTileRows, kBlock);
  set_shapes(shapes, kRestA, rest_rows, kBlock);
  for (int turn = 0; turn < 2; ++turn) {
    set_shapes(shapes, kC[turn], kTileRows, 64);
    set_shapes(shapes, kRestC[turn], rest_rows, 64);
    set_shapes(shapes, kB[turn], kBlock / 4, 64);
  }
  load_shapes(shapes);
  current_shapes = rest;
}

inline __m512 splat(const float& x) { return _mm512_set1_ps(x); }

inline void finish(const GemmArgs& args, int row, int output, __m512 acc) {
  float* out = args.out + row * args.out_stride + output;
  if (args.add) acc = _mm512_add_ps(_mm512_loadu_ps(out), acc);
  _mm512_storeu_ps(out, acc);
}

// A block as the products read it: an S8 block, or a U4 block unpacked to one with its minima
// behind, as floats.
constexpr std::size_t kScales = 512;
constexpr std::size_t kMinima = 576;
constexpr std::size_t kUnpackedBytes = 640;

struct S8 {
  static constexpr std::size_t kBytes = kS8BlockBytes;
  static constexpr bool kHasMinima = false;
  static constexpr bool kInParts = false;  // all blocks of a tile at once
  template <int C, int A, int B>
  static void multiply() {
    tile_add_signed_signed<C, A, B>();
  }
};
struct U4 {
  static constexpr std::size_t kBytes = kUnpackedBytes;
  static constexpr bool kHasMinima = true;
  static constexpr bool kInParts = true;
  template <int C, int A, int B>
  static void multiply() {
    tile_add_signed_unsigned<C, A, B>();
  }
};

// Integer sums of one block.
template <typename Format, bool kFull, int kTurn>
inline void block_sums(const std::uint8_t* block, const std::int8_t* q8, std::size_t stride,
                       std::int32_t* sums) {
  constexpr int c = kFull ? kC[kTurn] : kRestC[kTurn];
  constexpr int a = kFull ? kA : kRestA;
  tile_load<a>(q8, stride);
  tile_load<kB[kTurn]>(block, 64);
  tile_zero<c>();
  Format::template multiply<c, a, kB[kTurn]>();
  tile_store<c>(sums, 64);
}

// acc[r] += the block's sums by their scales.
template <typename Format, int R>
inline void add_block(const std::uint8_t* block, const Activations& in, int b,
                      const std::int32_t* sums, __m512 (&acc)[R]) {
  const std::size_t scale_stride = in.stride / kBlock;
  const __m512 d = _mm512_loadu_ps(block + kScales);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    const __m512 s = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + r * kTile));
    const std::size_t at = r * scale_stride + b;
    acc[r] = _mm512_fmadd_ps(_mm512_mul_ps(d, splat(in.scale[at])), s, acc[r]);
    if constexpr (Format::kHasMinima) {
      const __m512 m = _mm512_loadu_ps(block + kMinima);
      acc[r] = _mm512_fmadd_ps(m, splat(in.scaled_sum[at]), acc[r]);
    }
  }
}

// Some blocks of one tile of outputs, and the sums so far of all rows where these are not all.
struct Strip {
  const std::uint8_t* block;  // the first one
  int first;
  int count;
  float* partial;  // [rows][16]
  int output;
};

// R rows of a strip. The next block's sums are on their way while one is added.
template <typename Format, int R>
void rows(const GemmArgs& args, const Strip& strip, int row) {
  constexpr bool kFull = R == kTileRows;
  const Activations in = args.input.at(row, static_cast<std::size_t>(strip.first) * kBlock);
  alignas(64) std::int32_t sums[2][R * kTile];
  float* partial = Format::kInParts ? strip.partial + row * kTile : nullptr;
  __m512 acc[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    acc[r] = !Format::kInParts || strip.first == 0 ? _mm512_setzero_ps()
                                                   : _mm512_loadu_ps(partial + r * kTile);
  }
  const std::uint8_t* block = strip.block;
  block_sums<Format, kFull, 0>(block, in.q8, in.stride, sums[0]);
  for (int b = 0; b < strip.count; b += 2, block += 2 * Format::kBytes) {
    const std::int8_t* q8 = in.q8 + b * kBlock;
    const std::uint8_t* next = block + Format::kBytes;
    if (b + 1 < strip.count) block_sums<Format, kFull, 1>(next, q8 + kBlock, in.stride, sums[1]);
    add_block<Format, R>(block, in, b, sums[0], acc);
    if (b + 1 == strip.count) break;
    if (b + 2 < strip.count) {
      block_sums<Format, kFull, 0>(next + Format::kBytes, q8 + 2 * kBlock, in.stride, sums[0]);
    }
    add_block<Format, R>(next, in, b + 1, sums[1], acc);
  }
  const bool last = !Format::kInParts || strip.first + strip.count == args.blocks;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    if (last) {
      finish(args, row + r, strip.output, acc[r]);
    } else {
      _mm512_storeu_ps(partial + r * kTile, acc[r]);
    }
  }
}

using RowsFunction = void (*)(const GemmArgs&, const Strip&, int);
// By the number of rows; there are none for 0.
struct RowsTable {
  RowsFunction of[kTileRows + 1];
};
template <typename Format, std::size_t... R>
constexpr RowsTable table_of(std::index_sequence<R...>) {
  return {{nullptr, rows<Format, static_cast<int>(R) + 1>...}};
}
template <typename Format>
constexpr RowsTable kRowsTable = table_of<Format>(std::make_index_sequence<kTileRows>{});

template <typename Format>
inline void all_rows(const GemmArgs& args, const Strip& strip) {
  int row = 0;
  for (; row + kTileRows <= args.rows; row += kTileRows) {
    rows<Format, kTileRows>(args, strip, row);
  }
  if (row < args.rows) kRowsTable<Format>.of[args.rows - row](args, strip, row);
}

void unpack_u4(const std::uint8_t* block, std::uint8_t* out) {
  const __m512i low = _mm512_set1_epi8(15);
  for (int v = 0; v < 4; ++v) {
    const __m512i packed = _mm512_loadu_si512(block + v * 64);
    _mm512_storeu_si512(out + v * 64, _mm512_and_si512(packed, low));
    _mm512_storeu_si512(out + (v + 4) * 64, _mm512_and_si512(_mm512_srli_epi16(packed, 4), low));
  }
  _mm512_storeu_ps(out + kScales, load_halves(block + 256));
  _mm512_storeu_ps(out + kMinima, load_halves(block + 288));
}

// Blocks are unpacked for all rows, as many at once as leave room in the first-level cache.
constexpr int kUnpackedBlocks = 24;
struct Unpacked {
  alignas(64) std::uint8_t blocks[kUnpackedBlocks * kUnpackedBytes];
  float* partial = nullptr;  // not a std::vector, whose functions would be AVX-512's everywhere
  std::size_t partial_size = 0;

  ~Unpacked() { delete[] partial; }
  void make_room(std::size_t size) {
    if (size <= partial_size) return;
    delete[] partial;
    partial = nullptr;
    partial_size = 0;
    partial = new float[size];
    partial_size = size;
  }
};

void gemm_u4(const GemmArgs& args) {
  if (args.rows < kMinU4Rows) return avx512_kernels()->gemm_u4(args);
  use_gemm_shapes(args.rows % kTileRows);
  static thread_local Unpacked unpacked;
  unpacked.make_room(static_cast<std::size_t>(args.rows) * kTile);
  const std::ptrdiff_t ahead = fetch_distance(args, 0);
  for (int t = 0; t < args.tile_count; ++t) {
    const std::uint8_t* block = args.tiles + t * args.tile_bytes;
    int count = 0;
    for (int first = 0; first < args.blocks; first += count) {
      const int left = args.blocks - first;
      count = left < kUnpackedBlocks ? left : kUnpackedBlocks;
      for (int b = 0; b < count; ++b, block += kU4BlockBytes) {
        fetch<kU4BlockBytes>(block, ahead);
        unpack_u4(block, unpacked.blocks + b * kUnpackedBytes);
      }
      all_rows<U4>(args, {unpacked.blocks, first, count, unpacked.partial, t * kTile});
    }
  }
}

void gemm_s8(const GemmArgs& args) {
  if (args.rows < kMinRows) return avx512_kernels()->gemm_s8(args);
  use_gemm_shapes(args.rows % kTileRows);
  for (int t = 0; t < args.tile_count; ++t) {
    all_rows<S8>(args, {args.tiles + t * args.tile_bytes, 0, args.blocks, nullptr, t * kTile});
  }
}

// Sums of values: A holds the weights of 64 positions, their high bytes in one tile and their low
// ones in another; B the values of 64 positions and 16 dimensions; C the sums of 16 rows and 16
// dimensions. Two strips of dimensions at once.
constexpr int kPositions = 64;
constexpr int kMaxPositions = 512;
constexpr int kHigh[2] = {0, 1};
constexpr int kLow[2] = {2, 3};
constexpr int kHighA = 4;
constexpr int kLowA = 5;
constexpr int kV[2] = {6, 7};

void use_value_shapes() {
  if (current_shapes == kValueShapes) return;
  TileShapes shapes;
  shapes.palette = 1;
  for (int tile = 0; tile < 8; ++tile) set_shapes(shapes, tile, kTileRows, 64);
  load_shapes(shapes);
  current_shapes = kValueShapes;
}

struct WeightBytes {
  alignas(64) std::uint8_t high[kTileRows][kMaxPositions];
  alignas(64) std::uint8_t low[kTileRows][kMaxPositions];
};

// 64 weights to their bytes, in the positions' order.
inline void split_weights(__m512i first, __m512i second, std::uint8_t* high, std::uint8_t* low) {
  // In each 16 bytes: the low bytes of eight weights, then the high ones; 0,2,1,3 becomes 0,1,2,3.
  const __m512i order =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 2, 6, 8, 12, 10, 14, 1, 5, 3, 7, 9, 13, 11, 15));
  first = _mm512_shuffle_epi8(first, order);
  second = _mm512_shuffle_epi8(second, order);
  const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
  const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
  _mm512_storeu_si512(low, _mm512_permutex2var_epi64(first, even, second));
  _mm512_storeu_si512(high, _mm512_permutex2var_epi64(first, odd, second));
}

void split_rows(const ValueArgs& args, int row, int rows, WeightBytes& bytes) {
  const int positions = args.groups * 4;
  for (int r = 0; r < rows; ++r) {
    const std::int16_t* w = args.weights + (row + r) * args.weight_stride;
    int p = 0;
    for (; p + kPositions <= positions; p += kPositions) {
      split_weights(_mm512_loadu_si512(w + p), _mm512_loadu_si512(w + p + 32), bytes.high[r] + p,
                    bytes.low[r] + p);
    }
    if (p == positions) continue;
    alignas(64) std::int16_t padded[kPositions] = {};
    std::memcpy(padded, w + p, static_cast<std::size_t>(positions - p) * sizeof *w);
    split_weights(_mm512_loadu_si512(padded), _mm512_loadu_si512(padded + 32), bytes.high[r] + p,
                  bytes.low[r] + p);
  }
}

// The values of 64 positions and 32 dimensions, of which `groups` * 4 positions exist.
inline void load_values(const ValueArgs& args, const std::int8_t* v, int groups) {
  const std::size_t stride = static_cast<std::size_t>(args.head_dim) * 4;
  if (groups >= kPositions / 4) {
    tile_load<kV[0]>(v, stride);
    tile_load<kV[1]>(v + 64, stride);
    return;
  }
  alignas(64) std::int8_t padded[2][kPositions / 4][64] = {};
  for (int g = 0; g < groups; ++g) {
    std::memcpy(padded[0][g], v + g * stride, 64);
    std::memcpy(padded[1][g], v + g * stride + 64, 64);
  }
  tile_load<kV[0]>(padded[0], 64);
  tile_load<kV[1]>(padded[1], 64);
}

// 32 dimensions of up to 16 rows.
inline void add_strips(const ValueArgs& args, const WeightBytes& bytes, int row, int rows,
                       int dim) {
  tile_zero<kHigh[0]>();
  tile_zero<kHigh[1]>();
  tile_zero<kLow[0]>();
  tile_zero<kLow[1]>();
  for (int g = 0; g < args.groups; g += kPositions / 4) {
    tile_load<kHighA>(bytes.high[0] + g * 4, kMaxPositions);
    tile_load<kLowA>(bytes.low[0] + g * 4, kMaxPositions);
    load_values(args, args.v + (static_cast<std::size_t>(g) * args.head_dim + dim) * 4,
                args.groups - g);
    tile_add_unsigned_signed<kHigh[0], kHighA, kV[0]>();
    tile_add_unsigned_signed<kLow[0], kLowA, kV[0]>();
    tile_add_unsigned_signed<kHigh[1], kHighA, kV[1]>();
    tile_add_unsigned_signed<kLow[1], kLowA, kV[1]>();
  }
  alignas(64) std::int32_t high[2][kTileRows * 16], low[2][kTileRows * 16];
  tile_store<kHigh[0]>(high[0], 64);
  tile_store<kLow[0]>(low[0], 64);
  tile_store<kHigh[1]>(high[1], 64);
  tile_store<kLow[1]>(low[1], 64);
  for (int r = 0; r < rows; ++r) {
    const __m512 scale = splat(args.scale[row + r]);
    float* out = args.out + (row + r) * args.out_stride + dim;
    for (int i = 0; i < 2; ++i) {
      const __m512i sum =
          _mm512_add_epi32(_mm512_slli_epi32(_mm512_loadu_si512(high[i] + r * 16), 8),
                           _mm512_loadu_si512(low[i] + r * 16));
      _mm512_storeu_ps(out + 16 * i, _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(sum),
                                                     _mm512_loadu_ps(out + 16 * i)));
    }
  }
}

void add_values(const ValueArgs& args) {
  if (args.rows < kMinRows) return avx512_kernels()->add_values(args);
  use_value_shapes();
  static thread_local WeightBytes bytes;
  for (int row = 0; row < args.rows; row += kTileRows) {
    const int left = args.rows - row;
    const int rows = left < kTileRows ? left : kTileRows;
    split_rows(args, row, rows, bytes);
    for (int dim = 0; dim < args.head_dim; dim += 32) add_strips(args, bytes, row, rows, dim);
  }
}

constexpr Kernels own_table() {
  Kernels table = {};
  table.name = "amx";
  table.gemm_u4 = gemm_u4;
  table.gemm_s8 = gemm_s8;
  table.add_values = add_values;
  table.enter = enter;
  table.leave = leave;
  return table;
}

// Made by the compiler: code made here at run time might use AVX-512, which the processor need not
// have.
constexpr Kernels kOwn = own_table();

}  // namespace

const Kernels* amx_kernels() { return &kOwn; }

}  // namespace smll::exact

#else

namespace smll::exact {
const Kernels* amx_kernels() { return nullptr; }
}  // namespace smll::exact

#endif
