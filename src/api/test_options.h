// What tests of archives without a language model are written and read with.
#pragma once

#include <cstdint>

#include "smll/smll.h"

namespace smll {

inline Model no_model(int threads = 4) {
  ModelOptions options;
  options.download = false;
  options.threads = threads;
  return Model(options);
}

inline WriteOptions fast(std::uint64_t frame_size = 0) {
  WriteOptions options;
  options.experts = Experts::kCmFast;
  options.frame_size = frame_size;
  return options;
}

}  // namespace smll
