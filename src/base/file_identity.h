// Which file a path names, and whether it is still the same with the same contents.
#pragma once

#include <cstdint>
#include <string>

namespace smll {

// Two equal ones stand for the same bytes: whoever writes to a file, or puts another in its place,
// changes one of these.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;     // bytes
  std::int64_t modified = 0;  // nanoseconds
  std::int64_t changed = 0;   // of contents or inode, nanoseconds

  auto operator<=>(const FileIdentity&) const = default;
};

// Of the file that `path` leads to. Throws Error(kModel) where there is none that can be looked at.
FileIdentity file_identity_of(const std::string& path);

}  // namespace smll
