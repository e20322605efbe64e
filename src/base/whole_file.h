// Files that are read or written in one go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "smll/io.h"

namespace smll {

// Says from a file's first bytes, of which there may be fewer than asked for, how many of all its
// bytes are wanted.
struct Wanted {
  std::size_t limit = 0;  // at most so many
  bool last = false;      // the last ones where there are more; otherwise more are an error
};
using Wants = std::function<Wanted(ByteView first)>;

// What `path` leads to: a file, a device or a pipe. `first` bytes are read before `wants` is asked.
// Throws Error(kIo) where it cannot be read and Error(kData) where it is larger than is wanted.
Bytes read_file(const std::string& path, std::size_t first, const Wants& wants);

// Puts a file with this content in the place of `path`: written beside it and renamed, so that
// nobody sees a part of it. Throws Error(kIo).
void replace_file(const std::string& path, ByteView content);

struct CopiedFile {
  std::uint64_t size = 0;  // bytes
  std::string sha256;      // in lower-case hexadecimal
};

// Copies a regular file to a new one. `progress` is called for each part, and may throw to cancel.
// Throws Error(kIo).
CopiedFile copy_file(const std::string& from, const std::string& to,
                     const std::function<void()>& progress);

}  // namespace smll
