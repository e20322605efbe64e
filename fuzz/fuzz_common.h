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

// Bytes that can be read at any place, or forward only.
class MaybePipe : public MemorySource {
 public:
  MaybePipe(ByteView data, bool pipe) : MemorySource(data), pipe_(pipe) {}
  bool seekable() const override { return !pipe_; }

 private:
  bool pipe_;
};

}  // namespace smll::fuzz
