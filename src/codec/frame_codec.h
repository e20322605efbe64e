// Turns the bytes of one frame into a payload and back. A frame is independent of all others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "codec/loaded_model.h"
#include "codec/progress.h"

namespace smll::codec {

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
// A lane is not made shorter than this unless the caller sets the number of lanes.
inline constexpr std::size_t kMinLaneBytes = 8192;

// Which methods an encoder may choose from.
enum class Experts : std::uint8_t {
  kAll = 0,     // the smallest of all methods
  kLlm = 1,     // the model alone
  kCm = 2,      // context models, zstd or stored; never needs a model
  kCmFast = 3,  // the fast context models, zstd or stored
};

struct FrameOptions {
  Experts experts = Experts::kAll;
  int lanes = 0;  // 1 to kMaxLanes; 0: from the frame's size
};

struct Frame {
  Method method = Method::kStored;
  std::size_t raw_size = 0;
  std::vector<std::uint8_t> payload;
};

// Holds the working memory of one thread. `predictor` may be null: then only methods without a
// model are used, and decoding a frame that needs one throws Error(kModel).
class FrameCodec {
 public:
  explicit FrameCodec(std::shared_ptr<const LoadedModel> model);
  ~FrameCodec();
  FrameCodec(FrameCodec&&) noexcept;
  FrameCodec& operator=(FrameCodec&&) noexcept;

  // True when encode() with these options might use the model for this data: lets the caller put
  // off loading the model until some frame wants it. Looks at a sample only.
  static bool wants_model(std::span<const std::uint8_t> data, const FrameOptions& options);

  // data.size() <= kMaxFrame; frames that need the model are <= kMaxModelFrame (larger ones use the
  // other methods).
  Frame encode(std::span<const std::uint8_t> data, const FrameOptions& options,
               FrameStats* stats = nullptr, const Progress& progress = {});

  // Throws Error(kData) when the payload is not a valid one. A damaged payload may also give wrong
  // bytes: the caller holds the checksum.
  std::vector<std::uint8_t> decode(Method method, std::size_t raw_size,
                                   std::span<const std::uint8_t> payload,
                                   FrameStats* stats = nullptr, const Progress& progress = {});

  // Most memory, in bytes, that decode() and decode_compact() may take for a frame besides the
  // model and the data itself: Error(kMemory) before more is allocated. 0, as at first: no limit.
  void limit_memory(std::uint64_t bytes);
  // What they take for a frame of a method without a model.
  static std::uint64_t memory(Method method, std::size_t raw_size);

  // Small texts in one lane. The payload of a method that needs context or language models tells
  // its own size; that of others does not: decode_compact() takes it as all of `payload` (kStored)
  // or finds it there (kZstd). More than `limit` bytes are refused before they are computed:
  // Error(kMemory).
  Frame encode_compact(std::span<const std::uint8_t> data, Experts experts,
                       const Progress& progress = {});
  std::vector<std::uint8_t> decode_compact(Method method, std::span<const std::uint8_t> payload,
                                           std::size_t limit, const Progress& progress = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace smll::codec
