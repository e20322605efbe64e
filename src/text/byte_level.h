// The stand-ins by which byte-level vocabularies spell bytes: each byte is a printable character.
//
// Source: GPT-2's tokenizer. Printable bytes of Latin-1 stand for themselves, the others, in order,
// for the code points from 256 on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace smll::text {

// UTF-8 of a byte's stand-in.
std::string_view stand_in(std::uint8_t byte);

// The byte that a code point stands for; -1 where it stands for none.
int byte_of_stand_in(char32_t point);

// `text` byte by byte.
std::string in_stand_ins(std::string_view text);

}  // namespace smll::text
