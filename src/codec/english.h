// Common English that context models read before a frame, so that they need not learn it there.
#pragma once

#include <string_view>

namespace smll::codec {

// About 10 KB of ASCII: sentences, then words beside their kind. The same for ever.
std::string_view common_english();

}  // namespace smll::codec
