// Finds frames from the end of a seekable source, for when the front is damaged or not wanted.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "format/records.h"
#include "smll/io.h"

namespace smll::container {

struct IndexedFrame {
  std::uint64_t offset = 0;  // of the frame's record (the archive's start for the first)
  std::uint64_t number = 0;  // in its archive
  // Of its data, in what all archives of the index decompress to.
  std::uint64_t raw_start = 0, raw_size = 0;
  std::optional<format::ModelRecord> model;  // of its archive
};

// What the end record of an archive says of its frames, one after another.
class FrameList {
 public:
  FrameList() = default;
  // `record`: the end record up to its check. Throws Error(kData) when it lies about its frames.
  explicit FrameList(Bytes record);

  std::uint64_t total() const { return total_; }          // bytes of all frames
  std::uint64_t raw_total() const { return raw_total_; }  // and of their data
  const std::optional<format::ModelRecord>& model() const { return model_; }

  bool at_end() const { return number_ == count_; }
  // Of the next frame: its number, where it starts from the archive's start, and its data likewise.
  std::uint64_t number() const { return number_; }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t raw_start() const { return raw_start_; }
  std::uint64_t raw_size() const { return raw_size_; }
  void pass();

 private:
  void read_entry();

  Bytes record_;
  std::size_t next_ = 0;  // of the entry behind the next frame's
  std::uint64_t count_ = 0, number_ = 0, offset_ = 0, total_ = 0;
  std::uint64_t stored_size_ = 0, raw_start_ = 0, raw_size_ = 0, raw_total_ = 0;
  std::optional<format::ModelRecord> model_;
};

// The frames of the last archive in a source and of those before it, as far back as end records
// reach. Holds one end record at a time, and reads each twice however often it is asked.
class ArchiveIndex {
 public:
  // Moves the source, which must outlive the index.
  explicit ArchiveIndex(Source& source);

  // True when the last archive has no (valid) end record.
  bool empty() const { return empty_; }
  // True when it has all of the source's archives.
  bool whole() const { return whole_; }
  // Of all that are in it.
  std::uint64_t raw_size() const { return raw_size_; }
  // The first frame that starts behind `position`, which must not fall from call to call. Moves the
  // source.
  std::optional<IndexedFrame> next_behind(std::uint64_t position);
  // The first frame with data behind `raw`, which must not fall from call to call. Moves the
  // source.
  std::optional<IndexedFrame> next_with_data_behind(std::uint64_t raw);

 private:
  struct Archive {
    std::uint64_t start;
    std::uint64_t record;  // where its end record is: behind its last frame
    std::uint64_t end;
    std::uint64_t raw_size;
  };

  // The first frame of the next archive, or of those after it, that is `wanted`.
  template <class Wanted>
  std::optional<IndexedFrame> find(Wanted&& wanted);
  // Goes to the next archive.
  void pass_archive();

  Source& source_;
  bool empty_ = true;
  bool whole_ = false;
  std::uint64_t raw_size_ = 0;
  std::uint64_t raw_passed_ = 0;   // of archives that were passed
  std::vector<Archive> archives_;  // not yet passed, the last one first
  FrameList frames_;               // of archives_.back(), once `loaded_`
  bool loaded_ = false;
};

}  // namespace smll::container
