// Each of the GPU's kernels against the scalar ones, bit for bit, on random and extreme inputs,
// with the threads of a block in several orders: products, and what happens to rows.
#include <cstring>
#include <utility>

#include "lm/exact/cuda/kernels_fixture.h"
#include "lm/exact/cuda/rooms.h"

namespace smll::exact::cuda {
namespace {

// Widths of models: of small ones, SmolLM2's (576, 960, 1536, 2048), Gemma's and Qwen's.
constexpr int kWidths[] = {32, 64, 96, 576, 640, 896, 960, 1536, 2048, 4864};

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

}  // namespace
}  // namespace smll::exact::cuda
