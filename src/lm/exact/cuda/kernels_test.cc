// Each of the GPU's kernels against the scalar ones, bit for bit, on random and extreme inputs,
// with the threads of a block in several orders.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/fp_env.h"
#include "lm/exact/activations.h"
#include "lm/exact/attention.h"
#include "lm/exact/cuda/rooms.h"
#include "lm/exact/cuda/test_device.h"
#include "lm/exact/kv_cache.h"

namespace smll::exact::cuda {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Widths of models: of small ones, SmolLM2's (576, 960, 1536, 2048), Gemma's and Qwen's.
constexpr int kWidths[] = {32, 64, 96, 576, 640, 896, 960, 1536, 2048, 4864};

const Kernels& scalar() { return scalar_kernels(); }

std::uint32_t count32(std::size_t n) { return static_cast<std::uint32_t>(n); }

class CudaKernels : public testing::Test {
 protected:
  const FpEnv environment_;
  const std::shared_ptr<Device> gpu_ = test_device(SMLL_EMULATED_LIBRARY);
  std::mt19937 random_{7};

  float normal(float spread) { return std::normal_distribution<float>(0.0f, spread)(random_); }

  // Values of all sizes and, where `extreme`, what can go wrong among them.
  std::vector<float> floats(std::size_t n, bool extreme) {
    constexpr float kSpecial[] = {0.0f,   -0.0f, 1e-40f, -1e-40f, 3e38f, -3e38f, 1e-31f,
                                  2e-30f, 1e30f, 88.0f,  -88.0f,  kInf,  -kInf,  kNan};
    std::vector<float> x(n);
    for (float& v : x) {
      v = normal(random_() % 10 == 0 ? 100.0f : 3.0f);
      if (extreme && random_() % 7 == 0) v = kSpecial[random_() % std::size(kSpecial)];
    }
    return x;
  }

  // Blocks of the same magnitude at both ends, or any.
  std::vector<std::int8_t> int8s(std::size_t n, bool saturated) {
    std::vector<std::int8_t> q(n);
    for (std::int8_t& v : q) {
      const int value =
          saturated ? (random_() % 2 ? 127 : -127) : static_cast<int>(random_() % 255) - 127;
      v = static_cast<std::int8_t>(value);
    }
    return q;
  }

  float some_scale(bool extreme) {
    constexpr float kSpecial[] = {0.0f, 1e-38f, 1e-42f, 2e36f, kInf};
    if (extreme && random_() % 5 == 0) return kSpecial[random_() % std::size(kSpecial)];
    return std::fabs(normal(0.1f));
  }
};

// Rows of activations on both sides.
struct Rows {
  ActivationBuffer host;
  Array<std::int8_t> q8;
  Array<Scales> scales;
  std::size_t rows, width;

  Rows(Device& gpu, std::size_t row_count, std::size_t columns)
      : host(row_count, columns),
        q8(gpu, row_count * columns),
        scales(gpu, row_count * columns / kBlock),
        rows(row_count),
        width(columns) {}

  Activations on_device() const {
    return {q8.get(), scales.get(), static_cast<int>(width / kBlock), 0};
  }
};

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

void expect_same(const std::vector<float>& expected, const std::vector<float>& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(same_bits(expected[i], actual[i]))
        << "at " << i << ": " << expected[i] << " and " << actual[i];
  }
}

// What the device has is what the host has.
void expect_same(Rows& rows) {
  const exact::Activations host = rows.host.view();
  const std::vector<std::int8_t> q8 = rows.q8.values();
  const std::vector<Scales> scales = rows.scales.values();
  for (std::size_t i = 0; i < q8.size(); ++i) ASSERT_EQ(host.q8[i], q8[i]) << "at " << i;
  for (std::size_t b = 0; b < scales.size(); ++b) {
    ASSERT_TRUE(same_bits(host.scale[b], scales[b].scale)) << "block " << b;
    ASSERT_TRUE(same_bits(host.scaled_sum[b], scales[b].scaled_sum)) << "block " << b;
  }
}

class CudaProducts : public CudaKernels {
 protected:
  std::vector<std::uint8_t> tiles(int tile_count, int blocks, bool u4, bool extreme) {
    const std::size_t bytes = u4 ? kU4BlockBytes : kS8BlockBytes;
    const std::size_t quants = u4 ? 256 : 512;
    std::vector<std::uint8_t> data(bytes * tile_count * blocks);
    for (std::size_t block = 0; block < data.size(); block += bytes) {
      const auto q = int8s(quants, extreme);
      for (std::size_t i = 0; i < quants; ++i) {
        data[block + i] = u4 ? (extreme ? 255 : random_() % 256) : static_cast<std::uint8_t>(q[i]);
      }
      for (int o = 0; o < kTile; ++o) {
        // Any half but infinity and NaN, which are refused as models are loaded.
        const auto half = [&] {
          return static_cast<std::uint16_t>(random_() % 0x7c00 | (random_() & 0x8000));
        };
        const std::uint16_t halves[2] = {half(), half()};
        const float scale = some_scale(false);
        if (u4) {
          std::memcpy(&data[block + 256 + 2 * o], &halves[0], 2);
          std::memcpy(&data[block + 288 + 2 * o], &halves[1], 2);
        } else {
          std::memcpy(&data[block + 512 + 4 * o], &scale, 4);
        }
      }
    }
    return data;
  }

  Rows inputs(std::size_t rows, int blocks, bool extreme) {
    Rows in(*gpu_, rows, static_cast<std::size_t>(blocks) * kBlock);
    const exact::Activations host = in.host.view();
    const auto q = int8s(rows * in.width, extreme);
    std::copy(q.begin(), q.end(), host.q8);
    std::vector<Scales> scales;
    for (std::size_t b = 0; b < q.size() / kBlock; ++b) {
      int sum = 0;
      for (int i = 0; i < kBlock; ++i) sum += q[b * kBlock + i];
      host.sum[b] = sum;
      host.scale[b] = some_scale(extreme);
      host.scaled_sum[b] = host.scale[b] * static_cast<float>(sum);
      scales.push_back({host.scale[b], host.scaled_sum[b]});
    }
    gpu_->upload(in.q8.get(), q.data(), q.size());
    gpu_->upload(in.scales.get(), scales.data(), scales.size() * sizeof(Scales));
    gpu_->finish();
    return in;
  }

  static Matrix part(const Array<std::uint8_t>& data, int tile_count, int blocks, bool u4) {
    Matrix m{};
    m.tiles = data.get();
    m.tile_bytes = blocks * (u4 ? kU4BlockBytes : kS8BlockBytes);
    m.u4 = u4 ? 1 : 0;
    m.tile_count = tile_count;
    return m;
  }

  static void multiply(const Rows&, exact::Activations input, const std::vector<std::uint8_t>& data,
                       int tile_count, int blocks, bool u4, std::size_t rows, bool add, float* out,
                       std::size_t stride) {
    GemmArgs g = {};
    g.tiles = data.data();
    g.tile_bytes = blocks * (u4 ? kU4BlockBytes : kS8BlockBytes);
    g.tile_count = tile_count;
    g.blocks = blocks;
    g.input = input;
    g.rows = static_cast<int>(rows);
    g.out = out;
    g.out_stride = stride;
    g.add = add;
    (u4 ? scalar().gemm_u4 : scalar().gemm_s8)(g);
  }
};

// Three matrices of both forms in one product, as queries, keys and values are; sizes about a group
// of tiles.
TEST_F(CudaProducts, EqualTheScalarOnes) {
  for (const int blocks : {1, 2, 18, 48}) {
    for (const std::size_t rows : {1u, 3u, 8u, 13u}) {
      for (const bool extreme : {false, true}) {
        const int tile_counts[] = {9, 3, 8};
        const bool u4s[] = {true, false, true};
        Rows in = inputs(rows, blocks, extreme);
        std::vector<std::vector<std::uint8_t>> data;
        std::vector<Array<std::uint8_t>> arrays;
        ProductArgs args{};
        const std::size_t stride = 20 * kTile;
        for (int p = 0, tile = 0, group = 0; p < 3; ++p) {
          data.push_back(tiles(tile_counts[p], blocks, u4s[p], extreme));
          arrays.emplace_back(*gpu_, data.back());
          args.parts[p] = part(arrays.back(), tile_counts[p], blocks, u4s[p]);
          args.parts[p].column = tile * kTile;
          args.parts[p].first_group = group;
          tile += tile_counts[p];
          group += (tile_counts[p] + kProductTiles - 1) / kProductTiles;
        }
        args.part_count = 3;
        args.rows = static_cast<int>(rows);
        args.input = in.on_device();
        args.out_stride = stride;
        args.add = extreme ? 1 : 0;
        const std::vector<float> before = floats(rows * stride, false);
        std::vector<float> expected = before;
        for (int p = 0; p < 3; ++p) {
          multiply(in, in.host.view(), data[p], tile_counts[p], blocks, u4s[p], rows, extreme,
                   expected.data() + args.parts[p].column, stride);
        }
        const std::pair<Kernel, std::size_t> kernels[] = {
            {kProduct1, 1}, {kProduct4, 4}, {kProduct8, 8}};
        in_each_order([&] {
          for (const auto& [kernel, each] : kernels) {
            const Array<float> out(*gpu_, before);
            args.out = out.get();
            gpu_->start(kernel, {4, count32((rows + each - 1) / each), kProductTiles * kTile, 0},
                        args);
            expect_same(expected, out.values());
          }
        });
      }
    }
  }
}

TEST_F(CudaKernels, NormsEqualTheScalarOnes) {
  for (const int width : kWidths) {
    for (const bool extreme : {false, true}) {
      const std::size_t rows = 3;
      const std::vector<float> stream = floats(rows * width, extreme);
      const std::vector<float> weight = floats(width, false);
      Rows out(*gpu_, rows, width);
      std::vector<float> normed(width);
      for (std::size_t r = 0; r < rows; ++r) {
        scalar().rms_norm(&stream[r * width], weight.data(), 1e-5f, width, normed.data());
        scalar().quantize(normed.data(), width, out.host.view().at(r));
      }
      const Array<float> x(*gpu_, stream), w(*gpu_, weight);
      in_each_order([&] {
        gpu_->start(kNorm, {count32(rows), 1, 128, norm_room(width)},
                    NormArgs{x.get(), w.get(), out.on_device(), 1e-5f, width});
        expect_same(out);
      });
    }
  }
}

// Blocks at the border of what counts as zero, and what cannot be represented.
TEST_F(CudaKernels, QuantizationOfEveryMagnitude) {
  constexpr int kWidth = 64;
  const std::size_t rows = 300;
  std::vector<float> gate(rows * 2 * kWidth), up(gate.size());
  Rows out(*gpu_, rows, kWidth);
  for (std::size_t r = 0; r < rows; ++r) {
    // silu of 100 is 100, so each row has its own magnitude, from 1e-45 to 1e38.
    for (int i = 0; i < kWidth; ++i) {
      gate[r * 2 * kWidth + i] = 100.0f;
      gate[r * 2 * kWidth + kWidth + i] = std::ldexp(normal(1.0f), static_cast<int>(r) - 155);
    }
    std::vector<float> x(&gate[r * 2 * kWidth], &gate[r * 2 * kWidth] + kWidth);
    scalar().silu_mul(x.data(), &gate[r * 2 * kWidth + kWidth], kWidth);
    scalar().quantize(x.data(), kWidth, out.host.view().at(r));
  }
  const Array<float> both(*gpu_, gate);
  gpu_->start(kActivate, {1, count32(rows), 128, activate_room(128)},
              ActivateArgs{both.get(), out.on_device(), kWidth, 0});
  expect_same(out);
}

TEST_F(CudaKernels, ActivationsEqualTheScalarOnes) {
  for (const int width : kWidths) {
    for (const bool gelu : {false, true}) {
      const std::size_t rows = 2;
      const auto both = floats(rows * 2 * width, true);
      Rows out(*gpu_, rows, width);
      for (std::size_t r = 0; r < rows; ++r) {
        std::vector<float> gate(&both[r * 2 * width], &both[r * 2 * width] + width);
        (gelu ? scalar().gelu_mul : scalar().silu_mul)(gate.data(), &both[(r * 2 + 1) * width],
                                                       width);
        scalar().quantize(gate.data(), width, out.host.view().at(r));
      }
      const Array<float> x(*gpu_, both);
      in_each_order([&] {
        gpu_->start(kActivate,
                    {count32((width + 127) / 128), count32(rows), 128, activate_room(128)},
                    ActivateArgs{x.get(), out.on_device(), width, gelu ? 1 : 0});
        expect_same(out);
      });
    }
  }
}

TEST_F(CudaKernels, BranchesAreAddedAsOnTheCpu) {
  for (const int width : kWidths) {
    for (int form = 0; form < 8; ++form) {
      const std::size_t rows = 2;
      const auto branch = floats(rows * width, form % 2 != 0), stream = floats(rows * width, false);
      const auto bias = floats(width, false), weight = floats(width, false);
      const float scale = form < 4 ? 1.0f : 0.22f;
      std::vector<float> expected = stream, x = branch;
      for (std::size_t r = 0; r < rows; ++r) {
        float* const row = &x[r * width];
        for (int i = 0; form & 1 && i < width; ++i) row[i] += bias[i];
        if (form & 2) scalar().rms_norm(row, weight.data(), 1e-6f, width, row);
        if (scale != 1.0f) scalar().scale(row, scale, width);
        for (int i = 0; i < width; ++i) expected[r * width + i] += row[i];
      }
      const Array<float> b(*gpu_, bias), w(*gpu_, weight);
      in_each_order([&] {
        const Array<float> from(*gpu_, branch), to(*gpu_, stream);
        gpu_->start(kAddBranch, {count32(rows), 1, 128, add_room()},
                    AddArgs{from.get(), form & 1 ? b.get() : nullptr, form & 2 ? w.get() : nullptr,
                            to.get(), 1e-6f, scale, width, 0});
        expect_same(expected, to.values());
      });
    }
  }
}

TEST_F(CudaKernels, LogitsAreScaledAndCappedAsOnTheCpu) {
  const auto logits = floats(1040, true);
  for (const auto& [scale, cap] : {std::pair{0.125f, 0.0f}, {1.0f, 30.0f}, {0.3f, 15.0f}}) {
    std::vector<float> expected = logits;
    if (scale != 1.0f) scalar().scale(expected.data(), scale, expected.size());
    if (cap != 0.0f) scalar().cap(expected.data(), cap, expected.size());
    const Array<float> x(*gpu_, logits);
    gpu_->start(kLogits, {5, 1, 256, 0}, LogitsArgs{x.get(), logits.size(), scale, cap});
    expect_same(expected, x.values());
  }
}

// One lane of a layer on both sides: a KvCache, and a table of segments.
struct Lane {
  static constexpr int kRing = 4;

  KvLayout layout;
  KvPool pool;
  KvCache cache;
  int heads;
  Array<std::uint8_t> first;
  std::vector<Array<std::uint8_t>> segments;
  std::vector<std::uint8_t*> entries;

  Lane(Device& gpu, int dim, int kv_heads)
      : layout(dim),
        pool(layout, kv_heads),
        cache(pool, kRing * kSegment),
        heads(kv_heads),
        first(gpu, pool.first_bytes() * kv_heads) {
    entries.push_back(first.get());
    for (int i = 0; i < kRing; ++i) {
      segments.emplace_back(gpu, layout.part_bytes * kv_heads);
      entries.push_back(segments.back().get());
    }
  }

  Pages pages(const Array<std::uint8_t*>& tables, const Array<RowPlace>& rows) const {
    return {tables.get(),
            rows.get(),
            kRing,
            0,
            layout.head_dim,
            count32(layout.tile_bytes),
            count32(layout.scales_offset),
            count32(layout.values_offset),
            count32(layout.part_bytes),
            count32(pool.first_bytes())};
  }
};

class CudaAttention : public CudaKernels {
 protected:
  // One row at a time, at any position.
  struct Shape {
    int dim, kv_heads, group;
    bool rotated, normed, biased;
  };

  void store_and_attend(const Shape& shape, const Window& window, std::uint64_t positions,
                        bool extreme);
};

void CudaAttention::store_and_attend(const Shape& shape, const Window& window,
                                     std::uint64_t positions, bool extreme) {
  const int dim = shape.dim;
  const int heads = shape.kv_heads * shape.group;
  const std::size_t query_width = static_cast<std::size_t>(heads) * dim;
  const std::size_t key_width = static_cast<std::size_t>(shape.kv_heads) * dim;
  const std::size_t width = query_width + 2 * key_width;
  Lane lane(*gpu_, dim, shape.kv_heads);
  const Array<std::uint8_t*> tables(*gpu_, lane.entries);
  Rows query(*gpu_, 1, query_width), first_query(*gpu_, 1, query_width), out(*gpu_, 1, query_width);
  ActivationBuffer key(1, dim);
  const auto query_norm = floats(dim, false), key_norm = floats(dim, false),
             bias = floats(width, false);
  const Array<float> query_weight(*gpu_, query_norm), key_weight(*gpu_, key_norm),
      biases(*gpu_, bias);
  exact::Attention attention(scalar(), lane.layout, shape.group, window.size);
  for (std::uint64_t position = 0; position < positions; ++position) {
    const auto raw = floats(width, extreme && position % 3 == 0);
    const auto cos = floats(dim, false), sin = floats(dim, false);
    const auto first_cos = floats(dim, false), first_sin = floats(dim, false);
    // The CPU's way, as CpuOps has it.
    std::vector<float> x = raw;
    if (shape.biased)
      for (std::size_t i = 0; i < width; ++i) x[i] += bias[i];
    for (int h = 0; shape.normed && h < heads + shape.kv_heads; ++h) {
      const auto& weight = h < heads ? query_norm : key_norm;
      scalar().rms_norm(&x[h * dim], weight.data(), 1e-6f, dim, &x[h * dim]);
    }
    scalar().scale(x.data(), 0.125f, query_width);
    std::vector<float> first(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(query_width));
    for (int h = 0; shape.rotated && h < heads + shape.kv_heads; ++h) {
      scalar().rotate(&x[h * dim], cos.data(), sin.data(), dim);
      if (h < heads) scalar().rotate(&first[h * dim], first_cos.data(), first_sin.data(), dim);
    }
    scalar().quantize(x.data(), query_width, query.host.view());
    scalar().quantize(first.data(), query_width, first_query.host.view());
    lane.cache.reserve(position, 1);
    for (int h = 0; h < shape.kv_heads; ++h) {
      scalar().quantize(&x[query_width + h * dim], dim, key.view());
      lane.cache.store_key(position, h, key.view().q8, key.view().scale);
      lane.cache.store_value(position, h, &x[query_width + key_width + h * dim]);
      const std::size_t at = static_cast<std::size_t>(h) * shape.group * dim;
      attention.run({{&lane.cache, h, position},
                     1,
                     shape.group,
                     window,
                     query.host.view().at(0, at),
                     first_query.host.view().at(0, at),
                     out.host.view().at(0, at)});
    }
    // The device's.
    const Array<RowPlace> rows(*gpu_, std::vector<RowPlace>{{position, 0, 0}});
    const Array<float> qkv(*gpu_, raw), c(*gpu_, cos), s(*gpu_, sin), fc(*gpu_, first_cos),
        fs(*gpu_, first_sin);
    StoreArgs store{};
    store.qkv = qkv.get();
    store.stride = width;
    if (shape.biased) store.bias = biases.get();
    if (shape.normed) store.query_norm = query_weight.get(), store.key_norm = key_weight.get();
    if (shape.rotated)
      store.cos = c.get(), store.sin = s.get(), store.first_cos = fc.get(),
      store.first_sin = fs.get();
    store.query = query.on_device();
    store.first_query = first_query.on_device();
    store.pages = lane.pages(tables, rows);
    store.epsilon = 1e-6f;
    store.attention_scale = 0.125f;
    store.heads = heads;
    store.kv_heads = shape.kv_heads;
    store.looks_back = 1;
    AttendArgs attend{};
    attend.query = query.on_device();
    attend.first_query = first_query.on_device();
    attend.out = out.on_device();
    attend.pages = store.pages;
    attend.kv_heads = shape.kv_heads;
    attend.group = shape.group;
    attend.window = window.size;
    attend.keeps_first = window.keeps_first ? 1 : 0;
    attend.span = (window.size + 15) / 16 * 16 + 16;
    const std::size_t room = (attend_room(shape.group, dim, attend.span) + 255) / 256 * 256;
    const Array<std::uint8_t> rooms(*gpu_, room * shape.kv_heads);
    attend.room = rooms.get();
    attend.room_bytes = room;
    const auto both = [&] {
      gpu_->start(kStore, {count32(heads + 2 * shape.kv_heads), 1, 64, store_room(dim)}, store);
      gpu_->start(kAttend, {count32(shape.kv_heads), 1, 128, 0}, attend);
      ASSERT_NO_FATAL_FAILURE(expect_same(query)) << "position " << position;
      ASSERT_NO_FATAL_FAILURE(expect_same(first_query)) << "position " << position;
      ASSERT_NO_FATAL_FAILURE(expect_same(out)) << "position " << position;
    };
    if (position % 50 == 49) {
      in_each_order(both);
    } else {
      both();
    }
    if (HasFatalFailure()) return;
  }
}

TEST_F(CudaAttention, EqualsTheCpuOnAllShapesOfHeads) {
  for (const Shape& shape : {Shape{64, 3, 3, true, false, false},
                             {32, 2, 1, true, true, false},
                             {128, 1, 2, false, false, true},
                             {256, 1, 4, true, true, false},
                             {96, 1, 7, true, false, true}}) {
    store_and_attend(shape, {40, true}, 60, false);
  }
}

TEST_F(CudaAttention, EqualsTheCpuAtEveryAlignmentOfTheWindow) {
  const Shape shape{32, 1, 2, true, false, false};
  for (const int size : {2, 3, 17, 300}) {
    for (const bool keeps_first : {true, false})
      store_and_attend(shape, {size, keeps_first}, 600, false);
  }
}

// Infinite scales and scores, weights that are NaN, values that vanish.
TEST_F(CudaAttention, EqualsTheCpuOnExtremes) {
  store_and_attend({64, 1, 2, true, true, true}, {33, true}, 150, true);
  store_and_attend({32, 1, 3, true, false, false}, {20, false}, 150, true);
}

}  // namespace
}  // namespace smll::exact::cuda
