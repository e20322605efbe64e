// What is told while a frame is coded, and when it is done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace smll::codec {

struct FrameStats {
  std::uint64_t tokens = 0;
  double model_seconds = 0;                      // wall time spent in the predictor
  std::uint64_t guesses = 0, guesses_right = 0;  // tokens fed before they were known
  int lanes = 0;                                 // 0 where the method has none
};

// Called now and then with the bytes of this frame done so far and the tokens coded for them, from
// the thread that waits for the frame; may throw to cancel.
using Progress = std::function<void(std::size_t bytes, std::uint64_t tokens)>;

}  // namespace smll::codec
