#include "container/archive_index.h"

#include <algorithm>
#include <utility>

#include "container/stream_hash.h"
#include "format/byte_io.h"

namespace smll::container {
namespace {

// Above what archives have: 10 million frames, 10 TB at the usual size. Keeps memory small.
constexpr std::uint32_t kMaxEndRecord = std::uint32_t{64} << 20;
// The same of archives that are joined.
constexpr std::size_t kMaxArchives = std::size_t{1} << 20;

bool read_at(Source& source, std::uint64_t offset, std::size_t size, Bytes& out) {
  source.seek(offset);
  out.resize(size);
  std::size_t done = 0;
  while (done < size) {
    const std::size_t got = source.read(std::span(out).subspan(done));
    if (got == 0) return false;
    done += got;
  }
  return true;
}

// `end` without the zero bytes in front of it.
std::uint64_t before_padding(Source& source, std::uint64_t end) {
  Bytes block;
  for (std::size_t most = 16; end != 0; most = std::min<std::size_t>(most * 2, 65536)) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(end, most));
    if (!read_at(source, end - size, size, block)) return 0;
    const auto last =
        std::find_if(block.rbegin(), block.rend(), [](auto byte) { return byte != 0; });
    end -= static_cast<std::uint64_t>(last - block.rbegin());
    if (last != block.rend()) break;
  }
  return end;
}

// The end record that ends at `end` (its trailer included), without trailer and check; empty when
// there is no valid one.
Bytes end_record_before(Source& source, std::uint64_t end) {
  Bytes bytes;
  if (end < format::kTrailerSize ||
      !read_at(source, end - format::kTrailerSize, format::kTrailerSize, bytes))
    return {};
  const std::uint64_t size = format::load_le<std::uint32_t>(bytes.data());
  if (!std::equal(format::kEndMagic.begin(), format::kEndMagic.end(), bytes.begin() + 4)) return {};
  if (size < 8 + 3 || size > kMaxEndRecord || size > end - format::kTrailerSize) return {};
  if (!read_at(source, end - format::kTrailerSize - size, size, bytes)) return {};
  const std::uint64_t stored = format::load_le<std::uint64_t>(bytes.data() + size - 8);
  bytes.resize(size - 8);
  StreamHash check;
  check.update(bytes);
  if (check.digest() != stored || bytes[0] != format::kTagEnd) return {};
  return bytes;
}

}  // namespace

FrameList::FrameList(Bytes record) : record_(std::move(record)), next_(1) {
  const format::NextByte next_byte = [this] {
    if (next_ >= record_.size()) throw Error(ErrorKind::kData, "the index is too short");
    return record_[next_++];
  };
  read_varint(next_byte);  // the body's size
  count_ = read_varint(next_byte);
  const std::size_t entries = next_;
  for (std::uint64_t i = 0; i < count_; ++i) {
    const format::FrameEntry entry = format::read_entry(next_byte);
    if (entry.stored_size > UINT64_MAX - total_ || entry.raw_size > UINT64_MAX - raw_total_) {
      throw Error(ErrorKind::kData, "the index lies");
    }
    total_ += entry.stored_size;
    raw_total_ += entry.raw_size;
  }
  if (record_.size() - next_ > 8) {
    const std::uint8_t tag = next_byte();
    if (tag & format::kTagModel) model_ = format::read_model_record(tag, next_byte);
  }
  next_ = entries;
  if (!at_end()) read_entry();
}

void FrameList::read_entry() {
  const format::FrameEntry entry = format::read_entry([this] { return record_[next_++]; });
  stored_size_ = entry.stored_size;
  raw_size_ = entry.raw_size;
}

void FrameList::pass() {
  offset_ += stored_size_;
  raw_start_ += raw_size_;
  ++number_;
  if (!at_end()) read_entry();
}

ArchiveIndex::ArchiveIndex(Source& source) : source_(source) {
  std::uint64_t end = source.size();
  try {
    while (archives_.size() < kMaxArchives) {
      end = before_padding(source, end);
      Bytes bytes = end_record_before(source, end);
      if (bytes.empty()) break;
      const std::uint64_t record = end - format::kTrailerSize - bytes.size() - 8;
      const FrameList list(std::move(bytes));
      const std::uint64_t frames = list.total();
      if (frames > record || list.raw_total() > UINT64_MAX - raw_size_) break;
      archives_.push_back({record - frames, record, end, list.raw_total()});
      raw_size_ += list.raw_total();
      empty_ = false;
      end = record - frames;
      whole_ = end == 0;
      if (whole_) break;
    }
  } catch (const Error& error) {
    // What was found behind a broken record still serves.
    if (error.kind() != ErrorKind::kData) throw;
  }
}

std::optional<IndexedFrame> ArchiveIndex::next_behind(std::uint64_t position) {
  while (!archives_.empty() && archives_.back().record <= position) pass_archive();
  return find([position](const IndexedFrame& frame) { return frame.offset > position; });
}

std::optional<IndexedFrame> ArchiveIndex::next_with_data_behind(std::uint64_t raw) {
  while (!archives_.empty() && archives_.back().raw_size <= raw - raw_passed_) pass_archive();
  return find([raw](const IndexedFrame& frame) { return frame.raw_size > raw - frame.raw_start; });
}

template <class Wanted>
std::optional<IndexedFrame> ArchiveIndex::find(Wanted&& wanted) {
  for (; !archives_.empty(); pass_archive()) {
    const Archive& archive = archives_.back();
    if (!std::exchange(loaded_, true)) {
      frames_ = FrameList(end_record_before(source_, archive.end));
    }
    for (; !frames_.at_end(); frames_.pass()) {
      const IndexedFrame frame{archive.start + frames_.offset(), frames_.number(),
                               raw_passed_ + frames_.raw_start(), frames_.raw_size(),
                               frames_.model()};
      if (wanted(frame)) return frame;
    }
  }
  return std::nullopt;
}

void ArchiveIndex::pass_archive() {
  raw_passed_ += archives_.back().raw_size;
  archives_.pop_back();
  loaded_ = false;
}

}  // namespace smll::container
