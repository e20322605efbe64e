// Turns the bytes of one frame into a payload and back. A frame is independent of all others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "codec/loaded_model.h"
#include "codec/progress.h"
#include "format/frame.h"
#include "smll/options.h"

namespace smll::codec {

// A lane is not made shorter than this unless the caller sets the number of lanes.
inline constexpr std::size_t kMinLaneBytes = 8192;

struct FrameOptions {
  Experts experts = Experts::kAll;
  int lanes = 0;  // 1 to kMaxLanes; 0: from the frame's size
};

// A small text, coded: a frame of a method without a model, whose payload is as
// FrameCodec::decode_compact() takes it, or what encode_short() gave.
struct CompactText {
  format::Frame frame;
  bool is_short = false;  // the payload is encode_short()'s
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
  format::Frame encode(std::span<const std::uint8_t> data, const FrameOptions& options,
                       FrameStats* stats = nullptr, const Progress& progress = {});

  // Throws Error(kData) when the payload is not a valid one. A damaged payload may also give wrong
  // bytes: the caller holds the checksum.
  std::vector<std::uint8_t> decode(format::Method method, std::size_t raw_size,
                                   std::span<const std::uint8_t> payload,
                                   FrameStats* stats = nullptr, const Progress& progress = {});

  // Most memory, in bytes, that decode() and decode_compact() may take for a frame besides the
  // model and the data itself: Error(kMemory) before more is allocated. 0, as at first: no limit.
  void limit_memory(std::uint64_t bytes);
  // What they take for a frame of a method without a model.
  static std::uint64_t memory(format::Method method, std::size_t raw_size);

  // Small texts in one lane. The payload of a method that needs context or language models tells
  // its own size; that of others does not: decode_compact() takes it as all of `payload` (kStored)
  // or finds it there (kZstd). More than `limit` bytes are refused before they are computed:
  // Error(kMemory).
  CompactText encode_compact(std::span<const std::uint8_t> data, Experts experts,
                             const Progress& progress = {});
  // What encode_short() gave.
  std::vector<std::uint8_t> decode_short(std::span<const std::uint8_t> payload, std::size_t limit,
                                         const Progress& progress = {});
  std::vector<std::uint8_t> decode_compact(format::Method method,
                                           std::span<const std::uint8_t> payload, std::size_t limit,
                                           const Progress& progress = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace smll::codec
