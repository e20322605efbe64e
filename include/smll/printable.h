// Text from outside, made fit to be shown.
#pragma once

#include <string>
#include <string_view>

#include "smll/export.h"

namespace smll {

// `text` as one line of UTF-8 that a terminal shows and does not obey, as ls and xz make it: "?"
// stands for each control character, line break and change of writing direction, and for each byte
// that is not UTF-8. What archives, models' files and directories call things comes from outside.
SMLL_API std::string printable(std::string_view text);

}  // namespace smll
