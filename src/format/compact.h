// The forms of small texts in memory: two bytes and the coded text or, with a model, one byte and
// the coded text.
#pragma once

#include <cstdint>

#include "format/frame.h"
#include "smll/io.h"

namespace smll::format {

// The first byte is 1mmmcccc: method and four bits that recognize the model (or, where none is
// needed, check the content); the second checks content and model.
inline constexpr std::size_t kCompactOverhead = 2;

bool is_compact(ByteView data);

// With a model: 0ccccccc, a check of the content and of all that its code depends on.
inline constexpr std::size_t kShortOverhead = 1;

// What no file, and nothing compact, begins with: text that is not smll's may look so, too.
bool is_short(ByteView data);
Bytes pack_short(ByteView payload, ByteView raw, std::uint64_t identity);
bool short_content_fits(ByteView data, ByteView raw, std::uint64_t identity);

// `identity` stands for the model that coded the text; ignored for methods without one.
Bytes pack_compact(Method method, ByteView payload, ByteView raw, std::uint64_t identity);

Method compact_method(ByteView data);
// False when a method needs a model, and it is certainly not the one of this identity.
bool compact_model_fits(ByteView data, std::uint64_t identity);
bool compact_content_fits(ByteView data, ByteView raw, std::uint64_t identity);

}  // namespace smll::format
