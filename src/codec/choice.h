// Which of several ways to code a text is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "codec/frame_codec.h"

namespace smll::codec {

// What decoding with the model must be worth: so many tokens' time for each byte that it saves.
inline constexpr std::size_t kTokensPerByte = 50;

inline void keep_smaller(format::Frame& best, format::Method method,
                         std::vector<std::uint8_t> payload) {
  if (payload.size() >= best.payload.size()) return;
  best.method = method;
  best.payload = std::move(payload);
}

// Keeps the smaller of `payload`, which needs the model for `tokens`, and `best`, which needs none.
inline void keep_if_worth(format::Frame& best, format::Method method,
                          std::vector<std::uint8_t> payload, std::size_t tokens) {
  const std::size_t price = format::needs_model(best.method) ? 0 : tokens / kTokensPerByte;
  if (payload.size() + price < best.payload.size()) {
    keep_smaller(best, method, std::move(payload));
  }
}

// Progress of work whose bytes do not count as done: it can be cancelled and shows no more than
// `bytes` and `tokens`. Empty when `progress` is, which must outlive the result.
inline Progress standing_still(const Progress& progress, std::size_t bytes = 0,
                               std::uint64_t tokens = 0) {
  if (!progress) return {};
  return [&progress, bytes, tokens](std::size_t, std::uint64_t) { progress(bytes, tokens); };
}

}  // namespace smll::codec
