// How much the process has read: for tests of what is read once.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

namespace smll {

// Bytes that the process has read so far, from files and whatever else; empty where the system does
// not say.
inline std::optional<std::uint64_t> bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string key;
  std::uint64_t value = 0;
  if (io >> key >> value && key == "rchar:") return value;
  return std::nullopt;
}

}  // namespace smll
