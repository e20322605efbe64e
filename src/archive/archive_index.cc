#include "archive/archive_index.h"

#include <algorithm>

#include "archive/byte_io.h"
#include "archive/stream_hash.h"

namespace smll::archive {
namespace {

// Far above what any archive has, so that a damaged size costs little memory.
constexpr std::uint32_t kMaxEndRecord = std::uint32_t{256} << 20;

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

// The end record that ends at `end` (its trailer included), without trailer and check; empty when
// there is no valid one.
Bytes end_record_before(Source& source, std::uint64_t end) {
  Bytes bytes;
  if (end < kTrailerSize || !read_at(source, end - kTrailerSize, kTrailerSize, bytes)) return {};
  const std::uint64_t size = load_le<std::uint32_t>(bytes.data());
  if (!std::equal(kEndMagic.begin(), kEndMagic.end(), bytes.begin() + 4)) return {};
  if (size < 8 + 3 || size > kMaxEndRecord || size > end - kTrailerSize) return {};
  if (!read_at(source, end - kTrailerSize - size, size, bytes)) return {};
  const std::uint64_t stored = load_le<std::uint64_t>(bytes.data() + size - 8);
  bytes.resize(size - 8);
  StreamHash check;
  check.update(bytes);
  if (check.digest() != stored || bytes[0] != kTagEnd) return {};
  return bytes;
}

// Adds an archive's frames in order and returns where the archive starts. Throws Error(kData) when
// the record lies about them.
std::uint64_t add_frames(const Bytes& record, std::uint64_t archive_end,
                         std::vector<IndexedFrame>& frames) {
  std::size_t next = 1;
  const NextByte next_byte = [&] {
    if (next == record.size()) throw Error(ErrorKind::kData, "the index is too short");
    return record[next++];
  };
  read_varint(next_byte);  // the body's size
  const std::uint64_t count = read_varint(next_byte);
  std::vector<IndexedFrame> added;
  std::uint64_t offset = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const FrameEntry entry = read_entry(next_byte);
    if (entry.stored_size > archive_end - offset) throw Error(ErrorKind::kData, "the index lies");
    added.push_back({offset, i, std::nullopt});
    offset += entry.stored_size;
  }
  std::optional<ModelRecord> model;
  if (record.size() - next > 8) {
    const std::uint8_t tag = next_byte();
    if (tag & kTagModel) model = read_model_record(tag, next_byte);
  }
  const std::uint64_t start = archive_end - offset;
  for (IndexedFrame& frame : added) {
    frame.offset += start;
    frame.model = model;
  }
  frames.insert(frames.begin(), added.begin(), added.end());
  return start;
}

}  // namespace

std::vector<IndexedFrame> load_index(Source& source) {
  std::vector<IndexedFrame> frames;
  std::uint64_t end = source.size();
  try {
    while (end != 0) {
      const Bytes record = end_record_before(source, end);
      if (record.empty()) break;
      end = add_frames(record, end - kTrailerSize - record.size() - 8, frames);
    }
  } catch (const Error&) {
    // What was found behind the broken record still serves.
  }
  return frames;
}

}  // namespace smll::archive
