// What a lane holds that was fed some tokens, for lanes that begin with them.
#pragma once

#include <cstdint>

namespace smll::lm {

// Immutable; may be shared by threads and by predictors of one model, whatever their windows.
class KeptContext {
 public:
  virtual ~KeptContext() = default;
  // Tokens that were fed, the start token included.
  virtual std::uint64_t positions() const = 0;
  // Bytes that it takes.
  virtual std::uint64_t memory() const = 0;
};

}  // namespace smll::lm
