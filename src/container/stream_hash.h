// XXH3-64 over data that comes in pieces.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <memory>
#include <new>

#include "smll/io.h"

namespace smll::container {

class StreamHash {
 public:
  StreamHash() : state_(XXH3_createState()) {
    if (!state_) throw std::bad_alloc();
    reset();
  }
  void reset() { XXH3_64bits_reset(state_.get()); }
  void update(ByteView data) { XXH3_64bits_update(state_.get(), data.data(), data.size()); }
  std::uint64_t digest() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace smll::container
