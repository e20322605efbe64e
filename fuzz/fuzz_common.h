// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "smll/smll.h"

namespace smll::fuzz {

// A model that is never fetched; SMLL_MODEL may name one.
inline Model model() {
  ModelOptions options;
  options.download = false;
  options.threads = 1;
  return Model(options);
}

}  // namespace smll::fuzz
