#include "lm/exact/cuda/pages.h"

#include <algorithm>
#include <utility>

namespace smll::exact::cuda {
namespace {

// Idle memory that a pool keeps: what a few hundred lanes of a small model take.
constexpr std::size_t kKeptBytes = std::size_t{4} << 30;
constexpr std::size_t kKeptFirsts = 4096;

Memory take_last(std::vector<Memory>& kept) {
  Memory memory = std::move(kept.back());
  kept.pop_back();
  return memory;
}

}  // namespace

PagePool::PagePool(Queue& queue, const KvLayout& layout, int parts)
    : queue_(queue), layout_(layout), parts_(static_cast<std::size_t>(parts)) {
  // Lanes close where nothing may be thrown.
  segments_.reserve(kKeptBytes / segment_bytes());
  firsts_.reserve(kKeptFirsts);
}

std::size_t PagePool::first_bytes() const {
  return layout_.tile_bytes + static_cast<std::size_t>(layout_.head_dim) + 64;
}

Memory PagePool::take_segment() {
  return segments_.empty() ? queue_.device().allocate(segment_bytes()) : take_last(segments_);
}

void PagePool::give_segment(Memory segment) {
  if (segments_.size() < segments_.capacity()) segments_.push_back(std::move(segment));
}

Memory PagePool::take_first() {
  return firsts_.empty() ? queue_.device().allocate(first_bytes() * parts_) : take_last(firsts_);
}

void PagePool::give_first(Memory first) {
  if (firsts_.size() < firsts_.capacity()) firsts_.push_back(std::move(first));
}

LanePages::LanePages(PagePool& pool, int ring, const std::shared_ptr<const KeptPages>& begin)
    : pool_(pool), segments_(static_cast<std::size_t>(ring)) {
  if (!begin) return;
  first_ = begin->first_;
  shares_first_ = true;
  end_ = begin->positions_;
  for (std::size_t i = 0; i < begin->segments_.size(); ++i) {
    segments_[i] = {begin->segments_[i], true};
  }
}

LanePages::~LanePages() {
  if (first_ && !shares_first_) pool_.give_first(std::move(first_));
  for (Segment& segment : segments_) {
    if (segment.memory && !segment.shared) pool_.give_segment(std::move(segment.memory));
  }
}

// A kept segment is copied before it is written to. Where the ring has come round to it, queries of
// the same batch may still read what it holds.
void LanePages::reserve(std::uint64_t position) {
  if (!first_) first_ = pool_.take_first();
  Segment& segment = segments_[position / kSegment % segments_.size()];
  if (!segment.memory || segment.shared) {
    Memory own = pool_.take_segment();
    if (segment.memory) {
      pool_.queue().copy(own.get(), segment.memory.get(), pool_.segment_bytes());
    }
    segment = {std::move(own), false};
  }
  end_ = std::max(end_, position + 1);
}

std::shared_ptr<const KeptPages> LanePages::keep(std::shared_ptr<const weights::Weights> model) {
  const auto kept = std::make_shared<KeptPages>();
  kept->model_ = std::move(model);
  kept->device_ = &pool_.queue().device();
  kept->positions_ = end_;
  kept->segment_bytes_ = pool_.segment_bytes();
  kept->first_ = std::move(first_);
  for (std::size_t i = 0; i < (end_ + kSegment - 1) / kSegment; ++i) {
    kept->segments_.push_back(std::move(segments_[i].memory));
  }
  return kept;
}

void LanePages::write_table(std::uint8_t** to) const {
  *to++ = first_.get();
  for (const Segment& segment : segments_) *to++ = segment.memory.get();
}

}  // namespace smll::exact::cuda
