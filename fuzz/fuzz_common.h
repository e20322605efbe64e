// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "smll/smll.h"

namespace smll::fuzz {

// The small generated model that SMLL_MODEL names, loaded once; never fetched.
inline const Model& model() {
  static const Model loaded = [] {
    ModelOptions options;
    options.download = false;
    options.threads = 1;
    return Model(options);
  }();
  return loaded;
}

}  // namespace smll::fuzz
