// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace smll::text {

// Bytes of the sequence at the start of `text` (not empty); 0 when there is no valid one.
std::size_t utf8_length(std::string_view text);

// Bytes at the start of `text` that are valid UTF-8.
std::size_t utf8_prefix(std::string_view text);

}  // namespace smll::text
