// Finds frames by looking for them, where damage has hidden the next and there is no index.
#pragma once

#include <cstdint>
#include <optional>

#include "container/buffered_input.h"

namespace smll::container {

// Moves `input` to the next place where a frame of number `least` or somewhat above starts, or, for
// number 0, an archive does; behind it must come what may follow a frame. Gives the number, or
// nothing at the end of the input. What is found may still turn out to be none.
std::optional<std::uint64_t> find_frame(BufferedInput& input, std::uint64_t least);

}  // namespace smll::container
