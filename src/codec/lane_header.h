// What stands in front of a frame's code: how it was cut into lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mix/frame_mixer.h"

namespace smll::codec {

struct LaneHeader {
  std::vector<mix::LaneExtent> extents;
  bool escapes = false;  // there are bytes that no token spells
};

void put_lanes(const LaneHeader& header, std::vector<std::uint8_t>& out);
// Takes it off the front of `in`, of a frame of `raw_size` bytes. Throws Error(kData).
LaneHeader take_lanes(std::span<const std::uint8_t>& in, std::size_t raw_size);

}  // namespace smll::codec
