// Finds frames from the end of a seekable source, for when the front is damaged.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "archive/format.h"
#include "smll/io.h"

namespace smll::archive {

struct IndexedFrame {
  std::uint64_t offset = 0;          // of the frame's record (the archive's start for the first)
  std::uint64_t number = 0;          // in its archive
  std::optional<ModelRecord> model;  // of its archive
};

// The frames of the last archive in `source` and of those before it, as far back as end records
// reach; in the order of their offsets. Empty when the last archive has no (valid) end record.
// Moves the source.
std::vector<IndexedFrame> load_index(Source& source);

}  // namespace smll::archive
