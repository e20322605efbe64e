// The ways to code a frame, and how large a frame may be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace smll::format {

// How a frame's payload is coded. Stored in archives; never renumber.
enum class Method : std::uint8_t {
  kStored = 0,
  kZstd = 1,
  kCmFast = 2,     // small set of context models, for data that should not wait
  kCm = 3,         // all context models, no language model
  kLlm = 4,        // language model alone
  kCmEnglish = 6,  // as kCm, after common English was read
  kMixed = 7,      // language model and context models
};
inline constexpr int kMethods = 8;
// kMixed with other predictions, which only versions before the first release wrote.
inline constexpr std::uint8_t kRetiredMethod = 5;

inline bool is_method(std::uint8_t value) { return value < kMethods && value != kRetiredMethod; }

inline bool needs_model(Method m) { return m == Method::kLlm || m == Method::kMixed; }

// Largest frames, in bytes; readers refuse larger ones, so memory and time stay bounded. The second
// is for methods with a language model or all context models; the third for zstd, whose matches may
// lie far apart; the first for the others.
inline constexpr std::size_t kMaxFrame = std::size_t{16} << 20;
inline constexpr std::size_t kMaxModelFrame = std::size_t{1} << 20;
inline constexpr std::size_t kMaxZstdFrame = std::size_t{64} << 20;

inline std::size_t max_frame(Method m) {
  if (m == Method::kZstd) return kMaxZstdFrame;
  return m == Method::kStored || m == Method::kCmFast ? kMaxFrame : kMaxModelFrame;
}

inline constexpr int kMaxLanes = 32;

// A frame as an archive has it.
struct Frame {
  Method method = Method::kStored;
  std::size_t raw_size = 0;
  std::vector<std::uint8_t> payload;
};

}  // namespace smll::format
