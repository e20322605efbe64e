// The keys and values of one lane: int8 with scales, a ring of positions, and the first token for
// ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lm/exact/cpu/layout.h"
#include "lm/kept_context.h"
#include "lm/weights/weights.h"

namespace smll::exact {

// Positions of a segment: the unit of allocation, and of the chunks in which attention sums values.
inline constexpr int kSegment = 256;

// Where things lie in a segment's part for one layer and key head.
//   keys: 16 tiles of 16 positions as S8 tiles (position = output); one fp32 scale for each
//   position's value vector; then the values: int8[64][head_dim][4] where the last index is the
//   position's.
struct KvLayout {
  int head_dim;
  std::size_t tile_bytes;     // keys of 16 positions
  std::size_t scales_offset;  // bytes from the part's start
  std::size_t values_offset;
  std::size_t part_bytes;

  explicit KvLayout(int head_dim);
};

// Memory of lanes that were closed, kept for those that open next: pages that the system gives anew
// cost more than the tokens of a short text. For one thread.
class KvPool {
 public:
  // `parts` = layers * key heads.
  KvPool(const KvLayout& layout, int parts);

  // A segment of all parts. Zeroed: positions not yet written take part in sums with weight 0, must
  // be finite and the same for every lane.
  weights::AlignedBuffer take_segment();
  // `positions`: how many of the first ones may have been written.
  void give_segment(weights::AlignedBuffer segment, int positions);
  // Of position 0, kept beside the ring.
  weights::AlignedBuffer take_first();
  void give_first(weights::AlignedBuffer first);

  const KvLayout& layout() const { return layout_; }
  int parts() const { return parts_; }
  std::size_t first_bytes() const { return first_bytes_; }

 private:
  KvLayout layout_;
  int parts_;
  std::size_t first_bytes_;
  std::vector<weights::AlignedBuffer> segments_, firsts_;
};

// The keys and values of a lane's first positions, for lanes that begin with them: whole segments
// are shared as long as a lane only reads them.
class KvPrefix : public lm::KeptContext {
 public:
  std::uint64_t positions() const override { return positions_; }
  std::uint64_t memory() const override;
  bool is_of(const weights::Weights& model) const { return model_.get() == &model; }

 private:
  friend class KvCache;

  std::shared_ptr<const weights::Weights> model_;
  int parts_ = 0;
  std::size_t part_bytes_ = 0;
  std::uint64_t positions_ = 0;
  weights::AlignedBuffer first_;                  // of position 0, as a cache has it
  std::vector<weights::AlignedBuffer> segments_;  // whole ones
  weights::AlignedBuffer rest_;                   // the ranges of used_ranges() of the last one
  std::size_t rest_bytes_ = 0;
};

class KvCache {
 public:
  // Holds at least `capacity` positions, of which the first are `prefix`'s where one is given: at
  // most `capacity` of them. `pool` must outlive it.
  KvCache(KvPool& pool, int capacity, std::shared_ptr<const KvPrefix> prefix = nullptr);
  ~KvCache();
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  // Bytes that so many positions take.
  static std::uint64_t memory(const KvLayout& layout, int parts, std::uint64_t positions);

  // Makes room for positions [first, first + count). Memory grows a segment at a time.
  void reserve(std::uint64_t first, int count);
  // Gives away what it holds, all computed with `model`: positions from 0 on that the ring still
  // has, and no prefix.
  std::shared_ptr<const KvPrefix> take_prefix(std::shared_ptr<const weights::Weights> model);

  const std::uint8_t* part(std::uint64_t segment, int part) const {
    return segments_[segment % segments_.size()].data + layout_.part_bytes * part;
  }

  // Stores a key (head_dim/32 blocks, already quantized) and a value (int8 with one scale).
  void store_key(std::uint64_t position, int part, const std::int8_t* q, const float* scale);
  void store_value(std::uint64_t position, int part, const float* value);

  // Positions [first, first + count), the last ones, were wrong: makes their values finite,
  // whatever was stored, so that they can take part in sums with weight 0.
  void forget(std::uint64_t first, int count);

  // What was stored, as floats [head_dim]; a position that the ring still has.
  void read(std::uint64_t position, int part, float* key, float* value) const;
  void read_first(int part, float* key, float* value) const;

  // Position 0: its key tile (only the first of 16 positions is meaningful) and value.
  const std::uint8_t* first_key(int part) const { return first_ + part * first_bytes_; }
  const std::int8_t* first_value(int part) const {
    return reinterpret_cast<const std::int8_t*>(first_key(part) + layout_.tile_bytes);
  }
  float first_scale(int part) const;

 private:
  // Of the ring.
  struct Segment {
    const std::uint8_t* data = nullptr;  // null: none yet
    weights::AlignedBuffer own;          // empty: the prefix's
  };

  // To write to.
  std::uint8_t* own_part(std::uint64_t position, int part);
  void own(Segment& segment);

  KvPool& pool_;
  KvLayout layout_;
  std::size_t first_bytes_;
  std::shared_ptr<const KvPrefix> prefix_;
  std::uint64_t end_ = 0;  // of the positions that room was made for
  weights::AlignedBuffer own_first_;
  const std::uint8_t* first_ = nullptr;
  std::vector<Segment> segments_;
};

}  // namespace smll::exact
