// The keys and values of lanes in a GPU's memory: segments of 256 positions, as kv_cache.h lays
// them out, and the first token for ever. Nothing is cleared: kernels read what was written only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lm/exact/cuda/device.h"
#include "lm/exact/kv_cache.h"
#include "lm/kept_context.h"

namespace smll::exact::cuda {

// Memory of lanes that were closed, for those that open next. For one thread; outlives its lanes.
class PagePool {
 public:
  // `parts` = layers * key heads. `queue`, in which all that uses the memory is done, must outlive
  // it.
  PagePool(Queue& queue, const KvLayout& layout, int parts);

  Memory take_segment();
  void give_segment(Memory segment);
  Memory take_first();
  void give_first(Memory first);

  Queue& queue() { return queue_; }
  const KvLayout& layout() const { return layout_; }
  std::size_t segment_bytes() const { return layout_.part_bytes * parts_; }
  std::size_t first_bytes() const;  // of a part

 private:
  Queue& queue_;
  KvLayout layout_;
  std::size_t parts_;
  std::vector<Memory> segments_, firsts_;
};

// The keys and values of a lane's first positions, for lanes that begin with them.
class KeptPages : public lm::KeptContext {
 public:
  std::uint64_t positions() const override { return positions_; }
  std::uint64_t memory() const override { return segments_.size() * segment_bytes_; }
  bool is_of(const weights::Weights& model, const Device& device) const {
    return model_.get() == &model && device_ == &device;
  }

 private:
  friend class LanePages;

  std::shared_ptr<const weights::Weights> model_;
  const Device* device_ = nullptr;
  std::uint64_t positions_ = 0;
  std::size_t segment_bytes_ = 0;
  Memory first_;
  std::vector<Memory> segments_;  // the last may be written to in part
};

class LanePages {
 public:
  // A ring of `ring` segments, of whose positions the first are `begin`'s where it is given: at
  // most as many as the ring has.
  LanePages(PagePool& pool, int ring, const std::shared_ptr<const KeptPages>& begin);
  ~LanePages();
  LanePages(const LanePages&) = delete;
  LanePages& operator=(const LanePages&) = delete;

  // Makes room for a position.
  void reserve(std::uint64_t position);
  // Gives away what it holds, all computed with `model`: positions from 0 on that the ring still
  // has, and nothing that was kept.
  std::shared_ptr<const KeptPages> keep(std::shared_ptr<const weights::Weights> model);
  // Its table (abi.h): ring + 1 entries.
  void write_table(std::uint8_t** to) const;

 private:
  struct Segment {
    Memory memory;
    bool shared = false;  // with what was kept
  };

  PagePool& pool_;
  std::uint64_t end_ = 0;  // of the positions that room was made for
  Memory first_;
  bool shares_first_ = false;
  std::vector<Segment> segments_;
};

}  // namespace smll::exact::cuda
