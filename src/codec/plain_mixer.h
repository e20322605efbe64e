// The context models of a frame without a language model, with what they have read before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/frame_codec.h"
#include "mix/frame_mixer.h"

namespace smll::codec {

class PlainMixer {
 public:
  // `method`: one of the three of context models alone. `size`: the frame's bytes, all in lane 0.
  // Thread-safe.
  PlainMixer(format::Method method, std::size_t size);
  // Bytes that one takes at most, with what it keeps for others.
  static std::uint64_t memory(format::Method method, std::size_t size);
  PlainMixer(const PlainMixer&) = delete;
  PlainMixer& operator=(const PlainMixer&) = delete;

  mix::FrameMixer& mixer() { return mixer_; }
  // The frame's bytes as far as they are known, without what was read before.
  std::vector<std::uint8_t> bytes() const;

 private:
  std::size_t before_;  // bytes of what was read before
  mix::FrameMixer mixer_;
};

}  // namespace smll::codec
