#include "lm/exact/kv_cache.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "lm/quantize.h"

namespace smll::exact {

KvLayout::KvLayout(int head_dim_in)
    : head_dim(head_dim_in),
      tile_bytes(static_cast<std::size_t>(head_dim / kBlock) * kS8BlockBytes),
      scales_offset(tile_bytes * (kSegment / kTile)),
      values_offset(scales_offset + kSegment * sizeof(float)),
      part_bytes(values_offset + static_cast<std::size_t>(kSegment) * head_dim) {}

namespace {

// Of position 0, kept beside the ring.
std::size_t first_bytes(const KvLayout& layout) { return layout.tile_bytes + layout.head_dim + 64; }

// Idle memory that a pool keeps.
constexpr std::size_t kKeptBytes = std::size_t{64} << 20;
constexpr std::size_t kKeptFirsts = 64;

// Where a part has something of its first `positions` positions.
struct Range {
  std::size_t offset, bytes;
};
std::array<Range, 3> used_ranges(const KvLayout& layout, std::uint64_t positions) {
  const std::size_t tiles = (positions + kTile - 1) / kTile;
  const std::size_t fours = (positions + 3) / 4;
  return {{{0, tiles * layout.tile_bytes},
           {layout.scales_offset, positions * sizeof(float)},
           {layout.values_offset, fours * 4 * layout.head_dim}}};
}

weights::AlignedBuffer zeroed(std::size_t bytes) {
  weights::AlignedBuffer memory(bytes);
  std::memset(memory.data(), 0, bytes);
  return memory;
}

weights::AlignedBuffer take_last(std::vector<weights::AlignedBuffer>& kept) {
  weights::AlignedBuffer memory = std::move(kept.back());
  kept.pop_back();
  return memory;
}

}  // namespace

KvPool::KvPool(const KvLayout& layout, int parts)
    : layout_(layout), parts_(parts), first_bytes_(smll::exact::first_bytes(layout)) {
  // Lanes close where nothing may be thrown.
  segments_.reserve(kKeptBytes / (layout_.part_bytes * parts_));
  firsts_.reserve(kKeptFirsts);
}

weights::AlignedBuffer KvPool::take_segment() {
  return segments_.empty() ? zeroed(layout_.part_bytes * parts_) : take_last(segments_);
}

void KvPool::give_segment(weights::AlignedBuffer segment, int positions) {
  if ((segments_.size() + 1) * layout_.part_bytes * parts_ > kKeptBytes) return;
  for (int part = 0; part < parts_; ++part) {
    for (const Range& range : used_ranges(layout_, positions)) {
      std::memset(segment.data() + layout_.part_bytes * part + range.offset, 0, range.bytes);
    }
  }
  segments_.push_back(std::move(segment));
}

weights::AlignedBuffer KvPool::take_first() {
  return firsts_.empty() ? zeroed(first_bytes_ * parts_) : take_last(firsts_);
}

// Only position 0 is ever written to it, whose next one writes the same bytes.
void KvPool::give_first(weights::AlignedBuffer first) {
  if (firsts_.size() < kKeptFirsts) firsts_.push_back(std::move(first));
}

std::uint64_t KvPrefix::memory() const {
  return segments_.size() * part_bytes_ * static_cast<std::uint64_t>(parts_) + rest_bytes_;
}

KvCache::KvCache(KvPool& pool, int capacity, std::shared_ptr<const KvPrefix> prefix)
    : pool_(pool),
      layout_(pool.layout()),
      first_bytes_(pool.first_bytes()),
      prefix_(std::move(prefix)),
      segments_((capacity + kSegment - 1) / kSegment) {
  if (!prefix_) return;
  first_ = prefix_->first_.data();
  end_ = prefix_->positions_;
  for (std::size_t i = 0; i < prefix_->segments_.size(); ++i) {
    segments_[i].data = prefix_->segments_[i].data();
  }
  const std::uint64_t positions = end_ % kSegment;
  if (positions == 0) return;
  Segment& last = segments_[prefix_->segments_.size()];
  last.own = pool_.take_segment();
  last.data = last.own.data();
  const std::uint8_t* from = prefix_->rest_.data();
  for (int p = 0; p < pool_.parts(); ++p) {
    for (const Range& range : used_ranges(layout_, positions)) {
      std::memcpy(last.own.data() + layout_.part_bytes * p + range.offset, from, range.bytes);
      from += range.bytes;
    }
  }
}

KvCache::~KvCache() {
  if (own_first_) pool_.give_first(std::move(own_first_));
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (!segments_[i].own) continue;
    const std::uint64_t begin = i * kSegment;
    const int positions = static_cast<int>(std::min<std::uint64_t>(end_ - begin, kSegment));
    pool_.give_segment(std::move(segments_[i].own), positions);
  }
}

std::uint64_t KvCache::memory(const KvLayout& layout, int parts, std::uint64_t positions) {
  const std::uint64_t segments = (positions + kSegment - 1) / kSegment;
  return (segments * layout.part_bytes + first_bytes(layout)) * static_cast<std::uint64_t>(parts);
}

std::shared_ptr<const KvPrefix> KvCache::take_prefix(
    std::shared_ptr<const weights::Weights> model) {
  const auto prefix = std::make_shared<KvPrefix>();
  prefix->model_ = std::move(model);
  prefix->parts_ = pool_.parts();
  prefix->part_bytes_ = layout_.part_bytes;
  prefix->positions_ = end_;
  prefix->first_ = std::move(own_first_);
  for (std::size_t i = 0; i < end_ / kSegment; ++i) {
    prefix->segments_.push_back(std::move(segments_[i].own));
  }
  const auto ranges = used_ranges(layout_, end_ % kSegment);
  if (end_ % kSegment == 0) return prefix;
  for (const Range& range : ranges) prefix->rest_bytes_ += range.bytes * prefix->parts_;
  prefix->rest_ = weights::AlignedBuffer(prefix->rest_bytes_);
  std::uint8_t* to = prefix->rest_.data();
  for (int p = 0; p < pool_.parts(); ++p) {
    for (const Range& range : ranges) {
      std::memcpy(to, part(end_ / kSegment, p) + range.offset, range.bytes);
      to += range.bytes;
    }
  }
  return prefix;
}

void KvCache::reserve(std::uint64_t first, int count) {
  if (!first_) {
    own_first_ = pool_.take_first();
    first_ = own_first_.data();
  }
  for (std::uint64_t s = first / kSegment; s <= (first + count - 1) / kSegment; ++s) {
    own(segments_[s % segments_.size()]);
  }
  end_ = std::max(end_, first + count);
}

// Where the ring has come round to the prefix's segments, queries of the same batch may still read
// them.
void KvCache::own(Segment& segment) {
  if (segment.own) return;
  segment.own = pool_.take_segment();
  if (segment.data) {
    std::memcpy(segment.own.data(), segment.data, layout_.part_bytes * pool_.parts());
  }
  segment.data = segment.own.data();
}

std::uint8_t* KvCache::own_part(std::uint64_t position, int part) {
  return segments_[position / kSegment % segments_.size()].own.data() + layout_.part_bytes * part;
}

namespace {

void write_key(std::uint8_t* tile, int slot, int head_dim, const std::int8_t* q,
               const float* scale) {
  for (int b = 0; b < head_dim / kBlock; ++b, tile += kS8BlockBytes, q += kBlock) {
    for (int g = 0; g < 8; ++g) std::memcpy(tile + g * 64 + slot * 4, q + 4 * g, 4);
    std::memcpy(tile + 512 + slot * 4, scale + b, 4);
  }
}

void read_key(const std::uint8_t* tile, int slot, int head_dim, float* key) {
  for (int b = 0; b < head_dim / kBlock; ++b, tile += kS8BlockBytes, key += kBlock) {
    std::int8_t q[kBlock];
    float scale;
    for (int g = 0; g < 8; ++g) std::memcpy(q + 4 * g, tile + g * 64 + slot * 4, 4);
    std::memcpy(&scale, tile + 512 + slot * 4, 4);
    for (int i = 0; i < kBlock; ++i) key[i] = scale * static_cast<float>(q[i]);
  }
}

}  // namespace

void KvCache::store_key(std::uint64_t position, int p, const std::int8_t* q, const float* scale) {
  const int slot = static_cast<int>(position % kTile);
  const std::size_t tile = position % kSegment / kTile;
  write_key(own_part(position, p) + tile * layout_.tile_bytes, slot, layout_.head_dim, q, scale);
  if (position == 0) {
    write_key(own_first_.data() + p * first_bytes_, 0, layout_.head_dim, q, scale);
  }
}

void KvCache::store_value(std::uint64_t position, int p, const float* value) {
  const int head_dim = layout_.head_dim;
  std::int8_t q[512];
  const float scale = quantize(value, static_cast<std::size_t>(head_dim), q);
  std::uint8_t* base = own_part(position, p);
  const std::size_t slot = position % kSegment;
  std::uint8_t* column = base + layout_.values_offset + slot / 4 * head_dim * 4 + slot % 4;
  for (int i = 0; i < head_dim; ++i) column[4 * i] = static_cast<std::uint8_t>(q[i]);
  std::memcpy(base + layout_.scales_offset + slot * 4, &scale, 4);
  if (position == 0) {
    std::uint8_t* first = own_first_.data() + p * first_bytes_ + layout_.tile_bytes;
    std::memcpy(first, q, head_dim);
    std::memcpy(first + head_dim, &scale, 4);
  }
}

void KvCache::forget(std::uint64_t first, int count) {
  for (std::uint64_t position = first; position < first + count; ++position) {
    for (int p = 0; p < pool_.parts(); ++p) {
      std::uint8_t* scales = own_part(position, p) + layout_.scales_offset;
      std::memset(scales + position % kSegment * sizeof(float), 0, sizeof(float));
    }
  }
}

void KvCache::read(std::uint64_t position, int p, float* key, float* value) const {
  const int head_dim = layout_.head_dim;
  const std::uint8_t* base = part(position / kSegment, p);
  const std::size_t slot = position % kSegment;
  read_key(base + slot / kTile * layout_.tile_bytes, static_cast<int>(slot % kTile), head_dim, key);
  float scale;
  std::memcpy(&scale, base + layout_.scales_offset + slot * 4, 4);
  const auto* column = reinterpret_cast<const std::int8_t*>(base + layout_.values_offset) +
                       slot / 4 * head_dim * 4 + slot % 4;
  for (int i = 0; i < head_dim; ++i) value[i] = scale * static_cast<float>(column[4 * i]);
}

void KvCache::read_first(int part, float* key, float* value) const {
  read_key(first_key(part), 0, layout_.head_dim, key);
  const float scale = first_scale(part);
  const std::int8_t* q = first_value(part);
  for (int i = 0; i < layout_.head_dim; ++i) value[i] = scale * static_cast<float>(q[i]);
}

float KvCache::first_scale(int part) const {
  float scale;
  std::memcpy(&scale, first_value(part) + layout_.head_dim, 4);
  return scale;
}

}  // namespace smll::exact
