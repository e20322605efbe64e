// Queries and keys: norms of heads, scaling, rotation, quantization; keys and values into the
// lane's pages.
#pragma once

#include "lm/exact/cpu/layout.h"
#include "lm/exact/cuda/abi.h"
#include "lm/exact/cuda/arithmetic.h"

namespace smll::exact::cuda {

SMLL_DEVICE uint8_t* const* table_of(const Pages& pages, const RowPlace& row) {
  return pages.tables + static_cast<uint64_t>(row.table) * (pages.ring + 1);
}

SMLL_DEVICE uint8_t* page_of(const Pages& pages, const RowPlace& row, uint64_t position, int part) {
  // In 32 bits, which are faster and enough for 2^40 positions.
  const uint32_t segment =
      static_cast<uint32_t>(position / kPagePositions) % static_cast<uint32_t>(pages.ring);
  return table_of(pages, row)[1 + segment] + static_cast<uint64_t>(part) * pages.part_bytes;
}

SMLL_DEVICE uint8_t* first_of(const Pages& pages, const RowPlace& row, int part) {
  return table_of(pages, row)[0] + static_cast<uint64_t>(part) * pages.first_bytes;
}

// Puts a quantized key into a tile of keys.
SMLL_DEVICE void write_key(const Block& block, uint8_t* tile, int slot, int dim, const int8_t* q8,
                           const Scales* scales) {
  block.each([&](int t) {
    for (int i = t; i < dim; i += block.threads) {
      uint8_t* const to = tile + i / kBlock * kS8BlockBytes;
      to[i % kBlock / 4 * 64 + slot * 4 + i % 4] = static_cast<uint8_t>(q8[i]);
      if (i % kBlock == 0)
        *reinterpret_cast<float*>(to + 512 + slot * 4) = scales[i / kBlock].scale;
    }
  });
}

// An element, turned; `partner` is the pair's other one.
SMLL_DEVICE float turned(float x, float partner, float cos, float sin) {
  return fma(x, cos, mul(partner, sin));
}

// Turns x[dim] into out[dim] by a row's angles of [rows][dim]; where there are none it stays.
SMLL_DEVICE void rotate(const Block& block, const float* x, const float* cos, const float* sin,
                        uint64_t row, int dim, float* out) {
  block.each([&](int t) {
    for (int i = t; i < dim; i += block.threads) {
      const uint64_t at = row * dim + i;
      out[i] = cos ? turned(x[i], x[i ^ 1], cos[at], sin[at]) : x[i];
    }
  });
}

SMLL_DEVICE void store_query(const Block& block, const StoreArgs& args, uint64_t row, int head,
                             float* x, float* out) {
  const int dim = args.pages.dim;
  const uint64_t at = row * args.query.blocks + static_cast<uint64_t>(head) * dim / kBlock;
  block.each([&](int t) {
    for (int i = t; i < dim; i += block.threads) x[i] = mul(x[i], args.attention_scale);
  });
  rotate(block, x, args.cos, args.sin, row, dim, out);
  quantize(block, out, dim, args.query.q8 + at * kBlock, args.query.scales + at);
  if (!args.looks_back) return;
  rotate(block, x, args.first_cos, args.first_sin, row, dim, out);
  quantize(block, out, dim, args.first_query.q8 + at * kBlock, args.first_query.scales + at);
}

// `q8` and `scales`: room for a head's.
SMLL_DEVICE void store_key(const Block& block, const StoreArgs& args, uint64_t row, int head,
                           const float* x, float* out, int8_t* q8, Scales* scales) {
  const Pages& pages = args.pages;
  const RowPlace place = pages.rows[row];
  rotate(block, x, args.cos, args.sin, row, pages.dim, out);
  quantize(block, out, pages.dim, q8, scales);
  const int slot = static_cast<int>(place.position % kPagePositions);
  uint8_t* const page = page_of(pages, place, place.position, pages.part + head);
  write_key(block, page + slot / kTile * pages.tile_bytes, slot % kTile, pages.dim, q8, scales);
  if (place.position != 0) return;
  write_key(block, first_of(pages, place, pages.part + head), 0, pages.dim, q8, scales);
}

// `lanes`: room for 17 floats. NaN does not count in the largest magnitude.
SMLL_DEVICE void store_value(const Block& block, const StoreArgs& args, uint64_t row, int head,
                             const float* x, float* lanes) {
  const Pages& pages = args.pages;
  const RowPlace place = pages.rows[row];
  const int slot = static_cast<int>(place.position % kPagePositions);
  uint8_t* const page = page_of(pages, place, place.position, pages.part + head);
  uint8_t* const first = first_of(pages, place, pages.part + head) + pages.tile_bytes;
  block.each([&](int t) {
    if (t >= kLanes) return;
    float most = 0.0f;
    for (int i = t; i < pages.dim; i += kLanes) most = larger(magnitude(x[i]), most);
    lanes[t] = most;
  });
  block.each([&](int t) {
    if (t != 0) return;
    float most = lanes[0];
    for (int i = 1; i < kLanes; ++i) most = larger(lanes[i], most);
    lanes[kLanes] = most;
    const float scale = scale_of(most);
    *reinterpret_cast<float*>(page + pages.scales_offset + slot * 4) = scale;
    if (place.position == 0) *reinterpret_cast<float*>(first + pages.dim) = scale;
  });
  block.each([&](int t) {
    for (int i = t; i < pages.dim; i += block.threads) {
      const auto q = static_cast<uint8_t>(quantized(x[i], lanes[kLanes]));
      page[pages.values_offset + slot / 4 * 4 * pages.dim + 4 * i + slot % 4] = q;
      if (place.position == 0) first[i] = q;
    }
  });
}

// Block x: a head, first of queries, then of keys, then of values; block y: the row. Shared memory:
// store_room() bytes.
SMLL_DEVICE void store(const Block& block, const StoreArgs& args) {
  const int dim = args.pages.dim;
  auto* const x = reinterpret_cast<float*>(block.shared);
  float* const out = x + dim;
  float* const lanes = out + dim;
  auto* const scales = reinterpret_cast<Scales*>(lanes + kLanes + 2);
  auto* const q8 = reinterpret_cast<int8_t*>(scales + dim / kBlock);
  const uint64_t row = block.y;
  const int head = static_cast<int>(block.x);
  const bool is_query = head < args.heads;
  const bool is_key = !is_query && head < args.heads + args.kv_heads;
  const float* const from = args.qkv + row * args.stride + static_cast<uint64_t>(head) * dim;
  const float* const bias = args.bias ? args.bias + static_cast<uint64_t>(head) * dim : nullptr;
  block.each([&](int t) {
    for (int i = t; i < dim; i += block.threads) x[i] = bias ? add(from[i], bias[i]) : from[i];
  });
  const float* const weight = is_query ? args.query_norm : is_key ? args.key_norm : nullptr;
  if (weight) {
    find_rms_factor(block, x, dim, args.epsilon, lanes);
    block.each([&](int t) {
      for (int i = t; i < dim; i += block.threads) x[i] = mul(mul(x[i], lanes[kLanes]), weight[i]);
    });
  }
  if (is_query) {
    store_query(block, args, row, head, x, out);
  } else if (is_key) {
    store_key(block, args, row, head - args.heads, x, out, q8, scales);
  } else {
    store_value(block, args, row, head - args.heads - args.kv_heads, x, lanes);
  }
}

}  // namespace smll::exact::cuda
