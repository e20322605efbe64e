// For tests: the golden archives and their texts. An archive in tests/golden/v1 is never written
// over; SMLL_WRITE_GOLDEN lets tests add those that are not there yet (tests/golden/write.sh).
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "smll/io.h"

namespace smll::golden {

inline Bytes contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

inline std::filesystem::path text_path(const std::string& name) {
  return std::filesystem::path(SMLL_GOLDEN_DIRECTORY) / name;
}

inline std::filesystem::path archive_path(const std::string& name) {
  return text_path("v1") / name;
}

// Whether an archive is missing, and wanted.
inline bool is_to_be_written(const std::string& name) {
  return std::getenv("SMLL_WRITE_GOLDEN") != nullptr &&
         !std::filesystem::exists(archive_path(name));
}

inline void write(const std::string& name, ByteView archive) {
  std::ofstream(archive_path(name), std::ios::binary)
      .write(reinterpret_cast<const char*>(archive.data()),
             static_cast<std::streamsize>(archive.size()));
}

}  // namespace smll::golden
