// Attention of one query position over its window, for the heads of one key head: the scores of all
// positions first, since their maximum comes before any exponential, then weights, then sums of
// values by chunks of 256 positions (docs/design/exactness.md, "Attention").
#pragma once

#include "lm/exact/cpu/layout.h"
#include "lm/exact/cuda/abi.h"
#include "lm/exact/cuda/arithmetic.h"
#include "lm/exact/cuda/product.h"
#include "lm/exact/cuda/store.h"

namespace smll::exact::cuda {

// Where maxima begin, and the score of what is not seen, which has no weight whatever the maximum.
inline constexpr float kLeast = -3.402823466e38f;
inline constexpr uint32_t kUnseen = 0xff800000u;  // -infinity

// What a block works with: arrays of its group's heads, attend_room() bytes in all.
struct AttendRoom {
  float* scores;     // [group][span], of position base + i; later exp(score - max)
  float* largest;    // [group][max_chunks * 16]
  float* first;      // [group], position 0's score
  float* max;        // [group]
  float* inverse;    // [group]
  float* lanes;      // [group][16]
  float* top;        // [group][max_chunks], the largest weight of a chunk
  float* out;        // [group][dim]
  int32_t* sums;     // [group][max_chunks][dim]
  int16_t* weights;  // [group][span]
  int span, max_chunks;
};

// Chunks that `span` positions can touch.
SMLL_DEVICE int chunks_of_span(int span) { return span / kPagePositions + 2; }

SMLL_DEVICE AttendRoom room_at(unsigned char* memory, int group, int dim, int span) {
  AttendRoom room;
  room.span = span;
  room.max_chunks = chunks_of_span(span);
  room.scores = reinterpret_cast<float*>(memory);
  room.largest = room.scores + group * span;
  room.first = room.largest + group * room.max_chunks * kLanes;
  room.max = room.first + group;
  room.inverse = room.max + group;
  room.lanes = room.inverse + group;
  room.top = room.lanes + group * kLanes;
  room.out = room.top + group * room.max_chunks;
  room.sums = reinterpret_cast<int32_t*>(room.out + group * dim);
  room.weights = reinterpret_cast<int16_t*>(room.sums + group * room.max_chunks * dim);
  return room;
}

// What the query sees: position 0 perhaps, and [begin, end).
struct Seen {
  RowPlace place;
  uint64_t row;
  int part, head;  // of the key head; `head` is the first query head
  bool first;      // whether position 0 is one
  uint64_t begin, end;
  uint64_t base;  // begin, rounded down to a lane 0
  int count;      // end - base
  int chunks;     // that [begin, end) touches
  uint64_t first_chunk;
};

SMLL_DEVICE Seen seen_by(const Block& block, const AttendArgs& args) {
  Seen seen;
  seen.row = static_cast<uint64_t>(args.first_row) + block.x / args.kv_heads;
  seen.place = args.pages.rows[seen.row];
  const int key_head = static_cast<int>(block.x % args.kv_heads);
  seen.part = args.pages.part + key_head;
  seen.head = key_head * args.group;
  const uint64_t position = seen.place.position;
  const auto window = static_cast<uint64_t>(args.window);
  // Where position 0 is kept it is one of the window's positions.
  const uint64_t others = window - (args.keeps_first ? 1 : 0);
  seen.first = args.keeps_first || position < window;
  seen.end = position + 1;
  seen.begin = seen.end > others + 1 ? seen.end - others : 1;
  if (seen.begin > seen.end) seen.begin = seen.end;
  seen.base = seen.begin / kLanes * kLanes;
  seen.count = static_cast<int>(seen.end - seen.base);
  seen.first_chunk = seen.begin / kPagePositions;
  seen.chunks = seen.begin < seen.end
                    ? static_cast<int>(position / kPagePositions - seen.first_chunk + 1)
                    : 0;
  return seen;
}

// The product of a query head with the key in a slot of a tile.
SMLL_DEVICE float score(const Activations& query, uint64_t at, const uint8_t* tile, int slot,
                        int blocks) {
  float sum = 0.0f;
  for (int b = 0; b < blocks; ++b, tile += kS8BlockBytes, ++at) {
    const int8_t* const q8 = query.q8 + at * kBlock;
    const Words q[2] = {words_at(q8), words_at(q8 + 16)};
    int32_t dot = kSumStart;
    for (int g = 0; g < 8; ++g) {
      dot = dot4(word_at(tile + g * 64 + slot * 4), q[g / 4].word[g % 4], dot);
    }
    const float scale = *reinterpret_cast<const float*>(tile + 512 + 4 * slot);
    sum = fma(mul(scale, query.scales[at].scale), float_of_sum(dot), sum);
  }
  return sum;
}

SMLL_DEVICE void find_scores(const Block& block, const AttendArgs& args, const Seen& seen,
                             const AttendRoom& room) {
  const Pages& pages = args.pages;
  const int blocks = pages.dim / kBlock;
  const uint64_t first_head =
      seen.row * args.query.blocks + static_cast<uint64_t>(seen.head) * blocks;
  block.each([&](int t) {
    for (int i = t; i < seen.count; i += block.threads) {
      const uint64_t position = seen.base + i;
      if (position < seen.begin) continue;
      const int slot = static_cast<int>(position % kPagePositions);
      const uint8_t* const tile =
          page_of(pages, seen.place, position, seen.part) + slot / kTile * pages.tile_bytes;
      for (int h = 0; h < args.group; ++h) {
        room.scores[h * room.span + i] =
            score(args.query, first_head + h * blocks, tile, slot % kTile, blocks);
      }
    }
    if (t < args.group) {
      room.first[t] = !seen.first ? float_of(kUnseen)
                                  : score(args.first_query, first_head + t * blocks,
                                          first_of(pages, seen.place, seen.part), 0, blocks);
    }
  });
}

// NaN never is the maximum, so its order is free.
SMLL_DEVICE void find_max(const Block& block, const AttendArgs& args, const Seen& seen,
                          const AttendRoom& room) {
  block.each([&](int t) {
    for (int u = t; u < args.group * kLanes; u += block.threads) {
      const float* const scores = room.scores + u / kLanes * room.span;
      float most = kLeast;
      for (int i = u % kLanes; i < seen.count; i += kLanes) {
        if (seen.base + i >= seen.begin) most = larger(scores[i], most);
      }
      room.lanes[u] = most;
    }
  });
  block.each([&](int t) {
    if (t >= args.group) return;
    float most = kLeast;
    for (int lane = 0; lane < kLanes; ++lane) most = larger(room.lanes[t * kLanes + lane], most);
    room.max[t] = larger(room.first[t], most);
  });
}

// scores = exp(score - max), and their sums: a lane for position mod 16, in ascending order, after
// position 0. `first` becomes position 0's exponential.
SMLL_DEVICE void find_sums(const Block& block, const AttendArgs& args, const Seen& seen,
                           const AttendRoom& room) {
  block.each([&](int t) {
    for (int i = t; i < seen.count; i += block.threads) {
      if (seen.base + i < seen.begin) continue;
      for (int h = 0; h < args.group; ++h) {
        float& p = room.scores[h * room.span + i];
        p = exp_or_zero(sub(p, room.max[h]));
      }
    }
    if (t < args.group) room.first[t] = exp_or_zero(sub(room.first[t], room.max[t]));
  });
  block.each([&](int t) {
    for (int u = t; u < args.group * kLanes; u += block.threads) {
      const int h = u / kLanes;
      const int lane = u % kLanes;
      float sum = lane == 0 ? room.first[h] : 0.0f;
      for (int i = lane; i < seen.count; i += kLanes) {
        if (seen.base + i >= seen.begin) sum = add(sum, room.scores[h * room.span + i]);
      }
      room.lanes[u] = sum;
    }
  });
}

// Where a chunk's positions lie in a row of scores.
struct ChunkRange {
  int begin, end;
};
SMLL_DEVICE ChunkRange chunk_range(const Seen& seen, int chunk) {
  const uint64_t first = (seen.first_chunk + chunk) * kPagePositions;
  const uint64_t end = first + kPagePositions;
  return {static_cast<int>((first > seen.begin ? first : seen.begin) - seen.base),
          static_cast<int>((end < seen.end ? end : seen.end) - seen.base)};
}

SMLL_DEVICE const float* value_scales(const AttendArgs& args, const Seen& seen, uint64_t position) {
  const uint8_t* const page = page_of(args.pages, seen.place, position, seen.part);
  return reinterpret_cast<const float*>(page + args.pages.scales_offset) +
         position % kPagePositions;
}

// Integer weights of values, and the largest of each chunk.
SMLL_DEVICE void find_weights(const Block& block, const AttendArgs& args, const Seen& seen,
                              const AttendRoom& room) {
  const int per_head = seen.chunks * kLanes;
  block.each([&](int t) {
    for (int u = t; u < args.group * per_head; u += block.threads) {
      const int h = u / per_head;
      const ChunkRange range = chunk_range(seen, u % per_head / kLanes);
      float most = 0.0f;
      for (int i = range.begin + u % kLanes; i < range.end; i += kLanes) {
        const float scale = *value_scales(args, seen, seen.base + i);
        most = larger(mul(room.scores[h * room.span + i], scale), most);
      }
      room.largest[u] = most;
    }
  });
  block.each([&](int t) {
    for (int u = t; u < args.group * seen.chunks; u += block.threads) {
      float most = 0.0f;
      for (int lane = 0; lane < kLanes; ++lane)
        most = larger(room.largest[u * kLanes + lane], most);
      room.top[u] = most;
    }
  });
  block.each([&](int t) {
    for (int i = t; i < (seen.count + 3) / 4 * 4; i += block.threads) {
      const uint64_t position = seen.base + i;
      const bool is_seen = position >= seen.begin && position < seen.end;
      const int chunk = static_cast<int>(position / kPagePositions - seen.first_chunk);
      for (int h = 0; h < args.group; ++h) {
        int16_t& weight = room.weights[h * room.span + i];
        weight = 0;
        if (!is_seen) continue;
        const float top = room.top[h * seen.chunks + chunk];
        const float inverse = is_tiny(top) ? 0.0f : div(32767.0f, top);
        const float u = mul(room.scores[h * room.span + i], *value_scales(args, seen, position));
        weight = static_cast<int16_t>(round_to_int(larger(mul(u, inverse), 0.0f)));
      }
    }
  });
}

// The integer sums of values, of each chunk, head and dimension.
SMLL_DEVICE void sum_values(const Block& block, const AttendArgs& args, const Seen& seen,
                            const AttendRoom& room) {
  const int dim = args.pages.dim;
  block.each([&](int t) {
    for (int u = t; u < args.group * seen.chunks * dim; u += block.threads) {
      const int d = u % dim;
      const int chunk = u / dim % seen.chunks;
      const int16_t* const weights = room.weights + u / dim / seen.chunks * room.span;
      const ChunkRange range = chunk_range(seen, chunk);
      const uint64_t first = seen.base + range.begin;
      // Groups of 4 positions start at multiples of 4, as `base` does.
      const uint8_t* const values =
          page_of(args.pages, seen.place, first, seen.part) + args.pages.values_offset;
      int slot = static_cast<int>(first % kPagePositions) / 4 * 4;
      int32_t sum = 0;
      for (int i = range.begin / 4 * 4; i < range.end; i += 4, slot += 4) {
        const uint32_t v = word_at(values + slot * dim + 4 * d);
        sum = dot2_low(word_at(weights + i), v, sum);
        sum = dot2_high(word_at(weights + i + 2), v, sum);
      }
      room.sums[u] = sum;
    }
  });
}

SMLL_DEVICE void find_means(const Block& block, const AttendArgs& args, const Seen& seen,
                            const AttendRoom& room) {
  const int dim = args.pages.dim;
  const auto* const first_value = reinterpret_cast<const int8_t*>(
      first_of(args.pages, seen.place, seen.part) + args.pages.tile_bytes);
  const float first_scale = *reinterpret_cast<const float*>(first_value + dim);
  block.each([&](int t) {
    if (t < args.group) room.inverse[t] = div(1.0f, sum_of_lanes(room.lanes + t * kLanes));
  });
  block.each([&](int t) {
    for (int u = t; u < args.group * dim; u += block.threads) {
      const int h = u / dim;
      const int d = u % dim;
      float out = mul(mul(room.first[h], first_scale), from_int(first_value[d]));
      for (int c = 0; c < seen.chunks; ++c) {
        const float top = room.top[h * seen.chunks + c];
        const float scale = is_tiny(top) ? 0.0f : div(top, 32767.0f);
        out = fma(scale, from_int(room.sums[(h * seen.chunks + c) * dim + d]), out);
      }
      room.out[u] = mul(out, room.inverse[h]);
    }
  });
  const uint64_t at = seen.row * args.out.blocks + static_cast<uint64_t>(seen.head) * dim / kBlock;
  quantize(block, room.out, args.group * dim, args.out.q8 + at * kBlock, args.out.scales + at);
}

// A block for each row and key head. What it works with is in shared memory or in `room`.
SMLL_DEVICE void attend(const Block& block, const AttendArgs& args) {
  unsigned char* const memory =
      args.room ? args.room + static_cast<uint64_t>(block.x) * args.room_bytes : block.shared;
  const AttendRoom room = room_at(memory, args.group, args.pages.dim, args.span);
  const Seen seen = seen_by(block, args);
  find_scores(block, args, seen, room);
  find_max(block, args, seen, room);
  find_sums(block, args, seen, room);
  find_weights(block, args, seen, room);
  sum_values(block, args, seen, room);
  find_means(block, args, seen, room);
}

}  // namespace smll::exact::cuda
