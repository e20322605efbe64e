// Single compressed values, as smll_compress() gives them.
//
// Without a dictionary such a value is what smll::Compressor::compress gives. With one, what names
// no dictionary by itself stands behind the byte 0xF4 and the first 4 bytes of the dictionary's
// identity, the highest byte first.
#pragma once

#include <string>
#include <string_view>

#include "engines.h"
#include "statement.h"

namespace smll::sqlite {

Bytes compress_value(sqlite3* db, std::string_view text, const std::string& dictionary,
                     const std::string& model);
Bytes decompress_value(sqlite3* db, ByteView value, const std::string& dictionary,
                       const std::string& model);
// What can be told without decoding it, as a JSON object. Throws Error(kData).
std::string describe_value(sqlite3* db, ByteView value);

}  // namespace smll::sqlite
