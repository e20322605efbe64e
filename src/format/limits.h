// What callers allow decoding to take.
#pragma once

#include <cstdint>
#include <string>

#include "smll/error.h"

namespace smll::format {

// Throws Error(kMemory) for a size above what the caller allows.
inline void check_size(std::uint64_t size, std::uint64_t limit) {
  if (size > limit) {
    throw Error(ErrorKind::kMemory, "the data is larger than the limit of " +
                                        std::to_string(limit) + " bytes (--max-output, max_bytes)");
  }
}

// The same for memory; to be asked before it is allocated. 0: no limit.
inline void check_memory(std::uint64_t bytes, std::uint64_t limit) {
  constexpr int kMiB = 20;
  if (limit == 0 || bytes <= limit) return;
  const std::string needed = std::to_string((bytes >> kMiB) + 1);
  throw Error(ErrorKind::kMemory, "decoding takes " + needed + " MiB of memory, the limit is " +
                                      std::to_string(limit >> kMiB) + " MiB; allow more with -M " +
                                      needed + "M (max_memory)");
}

}  // namespace smll::format
