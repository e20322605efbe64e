// Where the engine's time goes, by kind of work.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace smll::exact {

enum class Op {
  kEmbed,
  kNorm,
  kQkv,
  kStore,
  kAttention,
  kOutput,
  kFfn,
  kDown,
  kHead,
  kSink,
  kLearn,
  kCount
};
const char* op_name(Op op);

// Wall-clock nanoseconds.
using OpTimes = std::array<std::uint64_t, static_cast<std::size_t>(Op::kCount)>;

// Adds the time since the last mark, or since it was made, to one kind of work.
class OpTimer {
 public:
  explicit OpTimer(OpTimes& times) : times_(times), last_(Clock::now()) {}
  void mark(Op op);

 private:
  using Clock = std::chrono::steady_clock;
  OpTimes& times_;
  Clock::time_point last_;
};

}  // namespace smll::exact
