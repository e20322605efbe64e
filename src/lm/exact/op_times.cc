#include "lm/exact/op_times.h"

namespace smll::exact {

const char* op_name(Op op) {
  constexpr const char* kNames[] = {"embed", "norm", "qkv",  "store", "attention", "output",
                                    "ffn",   "down", "head", "sink",  "learn"};
  return kNames[static_cast<std::size_t>(op)];
}

void OpTimer::mark(Op op) {
  const Clock::time_point now = Clock::now();
  times_[static_cast<std::size_t>(op)] += static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_).count());
  last_ = now;
}

}  // namespace smll::exact
