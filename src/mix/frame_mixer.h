// From a frame's past and the language model's opinion to the probability of
// the next binary decision.
//
// A FrameMixer holds everything that adapts while a frame is coded: context
// models, match models, mixers. The encoder and the decoder call it in the same
// order; predictions depend on that order and on nothing else (integers only),
// so both see the same ones on any machine. The frame is cut into lanes, which
// share what is learned but have histories of their own; whole bytes and tokens
// of lanes may be interleaved freely.
//
// Each decision is one predict_*() and then its update_*(), or one skip_bit().
// For a token: begin_token(), then from the root of the token trie, alternately
// (where the token could end and could also go on) the decision whether it ends
// and 8 bits of the next byte, most significant first. Bytes without a token
// are 8 times predict_bit_cm().
//
// Units: p is P(bit = 1) in 1/65536, 1..65535; so is `model_p`, which is
// clamped to that. Nothing fails; the constructor may throw std::bad_alloc.
// Bytes beyond a lane's extent, or lanes that do not exist, are the caller's
// bug. Not thread-safe: one frame, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace smll::mix {

enum class Sources : uint8_t { kAll, kLlm, kCm };  // mixed, the model alone, context models alone
enum class Strength : uint8_t { kFast, kStrong };  // kFast is for Sources::kCm only

// Bytes of the frame that a lane holds. Lanes are contiguous, in order, and
// cover the frame.
struct LaneExtent {
  size_t begin;
  size_t size;
};

struct MixOptions {
  uint64_t leave_out = 0;  // bit i: without expert i of expert_names()
};

// Names of what MixOptions::leave_out can leave out, by bit.
std::vector<std::string> expert_names();

class FrameMixer {
 public:
  FrameMixer(Sources experts, Strength strength, size_t frame_bytes,
             std::span<const LaneExtent> lanes, const MixOptions& options = {});
  // Goes on from where `learned` stands, between two of its bytes, in a frame of
  // `frame_bytes` that begins with the bytes it knows. For one lane and
  // Sources::kCm, and only where both frames have the same size_class().
  FrameMixer(const FrameMixer& learned, size_t frame_bytes);
  // Goes on in each lane of a frame from where `learned`, whose one lane stands
  // between two tokens, ends. It must have Sources::kAll or kLlm, and is shared,
  // not copied: the cost is that of a mixer for the frame.
  FrameMixer(std::shared_ptr<const FrameMixer> learned, size_t frame_bytes,
             std::span<const LaneExtent> lanes);
  ~FrameMixer();
  FrameMixer(FrameMixer&&) noexcept;
  FrameMixer(const FrameMixer&) = delete;
  FrameMixer& operator=(const FrameMixer&) = delete;

  // Bytes that a mixer takes at most; what is not touched of its tables costs nothing.
  static uint64_t memory(Sources experts, Strength strength, size_t frame_bytes);

  // Frames of one class have tables of the same sizes.
  static int size_class(size_t frame_bytes);

  // Bytes that a lane begins with and that no token is known of: context and
  // match models learn from them.
  void read(int lane, std::span<const uint8_t> bytes);

  // The lane's next token begins. To be called before its first decision.
  void begin_token(int lane);

  // The next bit of the lane's next byte, with and without an opinion of the
  // model.
  uint32_t predict_bit(int lane, uint32_t model_p);
  uint32_t predict_bit_cm(int lane);
  void update_bit(int lane, int bit);
  // A bit that only one possibility leaves: not coded, but part of the history.
  void skip_bit(int lane, int bit);

  // Does the token end here?
  uint32_t predict_end(int lane, uint32_t model_p);
  void update_end(int lane, int ended);

  // The frame's bytes as far as they are known, at their places; without what
  // was learned before.
  std::span<const uint8_t> bytes() const;

 private:
  class Impl;
  // The number of a caller's lane.
  size_t place(int lane) const;

  std::shared_ptr<const FrameMixer> learned_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace smll::mix
