// A text for tests of files and frames: lines that differ, of any size.
#pragma once

#include <cstddef>
#include <string>

#include "smll/io.h"

namespace smll {

inline Bytes lines_of(std::size_t size) {
  Bytes data;
  for (int line = 0; data.size() < size; ++line) {
    const std::string words = "line " + std::to_string(line * 7919 % 1000) + " of a text\n";
    data.insert(data.end(), words.begin(), words.end());
  }
  data.resize(size);
  return data;
}

}  // namespace smll
