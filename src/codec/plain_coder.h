// Codes a frame without the language model: zstd, or context models alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "codec/frame_codec.h"

namespace smll::codec {

// zstd's level where size matters more than time.
inline constexpr int kZstdLevel = 19;

// `level`: zstd's, 1 to 22.
std::vector<std::uint8_t> encode_zstd(std::span<const std::uint8_t> data, int level);
// The same with a window over all of the data, so that it finds repeats however far apart.
std::vector<std::uint8_t> encode_zstd_long(std::span<const std::uint8_t> data, int level,
                                           const Progress& progress);
// What zstd's fastest level makes of the data, in bytes, where the data repeats so much of what
// lies farther back than `frame` bytes that one zstd frame may be shorter than frames of that size.
// Takes about a second for 64 MiB.
std::optional<std::size_t> look_for_far_repeats(std::span<const std::uint8_t> data,
                                                std::size_t frame, const Progress& progress);
// Throws Error(kData) unless the payload is one zstd frame of exactly `raw_size` bytes.
std::vector<std::uint8_t> decode_zstd(std::span<const std::uint8_t> payload, std::size_t raw_size);
// The size that a payload's own header tells. Throws Error(kData) when it is missing or above
// `limit`.
std::size_t zstd_size(std::span<const std::uint8_t> payload, std::size_t limit);

// `method`: one of the three of context models alone. With `compact` the payload tells its own
// size, and `raw_size` is the most that is allowed (Error(kMemory) above); so is `max_memory`, for
// decoding, unless it is 0.
std::vector<std::uint8_t> encode_cm(std::span<const std::uint8_t> data, format::Method method,
                                    bool compact, const Progress& progress);
std::vector<std::uint8_t> decode_cm(std::span<const std::uint8_t> payload, std::size_t raw_size,
                                    format::Method method, bool compact, const Progress& progress,
                                    std::uint64_t max_memory = 0);

// Cheap signs that data is text, from a sample: few control characters, valid UTF-8 for the most
// part.
bool looks_like_text(std::span<const std::uint8_t> data);

}  // namespace smll::codec
