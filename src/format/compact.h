// The forms of small texts in memory: without a model two bytes and the coded text, with one one
// byte and the coded text.
#pragma once

#include <cstdint>

#include "format/frame.h"
#include "smll/io.h"

namespace smll::format {

// Without a model. The first byte is 1mmmcccc, with the method; c and the second byte are 12 bits
// that check the content.
inline constexpr std::size_t kCompactOverhead = 2;

// Also of what a newer smll may have written.
bool is_compact(ByteView data);
Bytes pack_compact(Method method, ByteView payload, ByteView raw);
// Throws Error(kData) for a form that this version does not read, with what to do.
Method compact_method(ByteView data);
bool compact_content_fits(ByteView data, ByteView raw);

// With a model: 0ccccccc, a check of the content and of all that its code depends on.
inline constexpr std::size_t kShortOverhead = 1;

// What no file, and nothing compact, begins with: text that is not smll's may look so, too.
bool is_short(ByteView data);
// `identity` stands for all that the code depends on besides the text.
Bytes pack_short(ByteView payload, ByteView raw, std::uint64_t identity);
bool short_content_fits(ByteView data, ByteView raw, std::uint64_t identity);

}  // namespace smll::format
