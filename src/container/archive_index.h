// Finds frames from the end of a seekable source, for when the front is damaged.
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
  std::optional<format::ModelRecord> model;  // of its archive
};

// What the end record of an archive says of its frames, one after another.
class FrameList {
 public:
  FrameList() = default;
  // `record`: the end record up to its check. Throws Error(kData) when it lies about its frames.
  explicit FrameList(Bytes record);

  std::uint64_t total() const { return total_; }  // bytes of all frames
  const std::optional<format::ModelRecord>& model() const { return model_; }

  bool at_end() const { return number_ == count_; }
  // Of the next frame: its number, and where it starts from the archive's start.
  std::uint64_t number() const { return number_; }
  std::uint64_t offset() const { return offset_; }
  void pass();

 private:
  Bytes record_;
  std::size_t entries_ = 0;  // where the first entry is
  std::size_t next_ = 0;
  std::uint64_t count_ = 0, number_ = 0, offset_ = 0, total_ = 0;
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
  // The first frame that starts behind `position`, which must not fall from call to call. Moves the
  // source.
  std::optional<IndexedFrame> next_behind(std::uint64_t position);

 private:
  struct Archive {
    std::uint64_t start;
    std::uint64_t record;  // where its end record is: behind its last frame
    std::uint64_t end;
  };

  Source& source_;
  bool empty_ = true;
  std::vector<Archive> archives_;  // not yet passed, the last one first
  FrameList frames_;               // of archives_.back(), once `loaded_`
  bool loaded_ = false;
};

}  // namespace smll::container
