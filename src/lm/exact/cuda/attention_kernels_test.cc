// The GPU's keys, values and attention against the CPU's, as in kernels_test.cc.
#include "lm/exact/attention.h"
#include "lm/exact/cuda/kernels_fixture.h"
#include "lm/exact/cuda/rooms.h"
#include "lm/exact/kv_cache.h"

namespace smll::exact::cuda {
namespace {

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

  Lane(Queue& gpu, int dim, int kv_heads)
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
