// Common English that context models read before a frame, so that they need not learn it there.
#pragma once

#include <string_view>

namespace smll::codec {

// About 10 KB of lower-case words and sentences in ASCII; the same for ever.
std::string_view common_english();

}  // namespace smll::codec
