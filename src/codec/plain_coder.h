// Codes a frame without the language model: zstd, or context models alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codec/frame_codec.h"

namespace smll::codec {

// `level`: zstd's, 1 to 22.
std::vector<std::uint8_t> encode_zstd(std::span<const std::uint8_t> data, int level);
// Throws Error(kData) unless the payload is one zstd frame of exactly `raw_size` bytes.
std::vector<std::uint8_t> decode_zstd(std::span<const std::uint8_t> payload, std::size_t raw_size);
// The size that a payload's own header tells. Throws Error(kData) when it is missing or above
// `limit`.
std::size_t zstd_size(std::span<const std::uint8_t> payload, std::size_t limit);

// `method`: one of the three of context models alone. With `compact` the payload tells its own
// size, and `raw_size` is the most that is allowed (Error(kMemory) above).
std::vector<std::uint8_t> encode_cm(std::span<const std::uint8_t> data, Method method, bool compact,
                                    const Progress& progress);
std::vector<std::uint8_t> decode_cm(std::span<const std::uint8_t> payload, std::size_t raw_size,
                                    Method method, bool compact, const Progress& progress);

// Cheap signs that data is text, from a sample: few control characters, valid UTF-8 for the most
// part.
bool looks_like_text(std::span<const std::uint8_t> data);

}  // namespace smll::codec
