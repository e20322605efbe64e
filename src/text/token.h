// A token's number in its model's vocabulary.
#pragma once

#include <cstdint>

namespace smll {

using Token = std::int32_t;

}  // namespace smll
