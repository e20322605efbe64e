// Codes units (tokens, or single bytes that no token spells) decision by decision. One code path
// serves the encoder and the decoder: it differs only in where outcomes come from.
#pragma once

#include <cstdint>
#include <string>

#include "coder/range_coder.h"
#include "lm/token_walk.h"
#include "mix/frame_mixer.h"
#include "smll/error.h"
#include "text/tokenizer.h"

namespace smll::codec {

// What a token is that does not fit its lane.
inline Error passes_the_end() {
  return {ErrorKind::kData, "the archive is damaged: a token passes the end of its lane"};
}

// `Coder` is coder::Encoder or coder::Decoder.
template <class Coder>
class UnitCoder {
 public:
  // `escapes`: the frame has bytes that no token spells. Frames without spend nothing on the
  // question.
  UnitCoder(Coder& coder, mix::FrameMixer& mixer, bool escapes)
      : coder_(coder), mixer_(mixer), escapes_(escapes) {}

  bool code_escape(bool escaped) {
    if (!escapes_) return false;
    escaped = coder_.code(p_escape_, escaped) != 0;
    p_escape_ +=
        (static_cast<int>(escaped ? 65536 - kFloor : kFloor) - static_cast<int>(p_escape_)) / 32;
    return escaped;
  }

  std::uint8_t code_escaped_byte(int lane, std::uint8_t known) {
    unsigned byte = 0;
    for (int shift = 7; shift >= 0; --shift) {
      const int bit = coder_.code(mixer_.predict_bit_cm(lane), known >> shift & 1);
      mixer_.update_bit(lane, bit);
      byte = byte << 1 | static_cast<unsigned>(bit);
    }
    return static_cast<std::uint8_t>(byte);
  }

  // Codes the token that `walk` is about and returns its row. `room`: bytes left in the lane, at
  // least 1; a token that fills them needs no decision to end. Throws Error(kData) for a token that
  // does not fit.
  template <class Walk>
  std::uint32_t code_token(int lane, Walk& walk, std::size_t room) {
    mixer_.begin_token(lane);
    for (std::size_t depth = 0; depth < room; ++depth) {
      if (depth > 0 && code_end(lane, walk)) return walk.row();
      for (int i = 0; i < 8; ++i) code_bit(lane, walk);
    }
    if (!walk.can_end()) {
      throw passes_the_end();
    }
    return walk.row();
  }

 private:
  static constexpr std::uint32_t kFloor = 32;

  template <class Walk>
  bool code_end(int lane, Walk& walk) {
    const std::uint32_t p = walk.end();
    bool ended = p == lm::kCertainly;
    if (!lm::is_certain(p)) {
      ended = coder_.code(mixer_.predict_end(lane, p), walk.known_end()) != 0;
      mixer_.update_end(lane, ended);
    }
    walk.set_end(ended);
    return ended;
  }

  template <class Walk>
  void code_bit(int lane, Walk& walk) {
    const std::uint32_t p = walk.bit();
    int bit = p == lm::kCertainly;
    if (lm::is_certain(p)) {
      mixer_.skip_bit(lane, bit);
    } else {
      bit = coder_.code(mixer_.predict_bit(lane, p), walk.known_bit());
      mixer_.update_bit(lane, bit);
    }
    walk.set_bit(bit);
  }

  Coder& coder_;
  mix::FrameMixer& mixer_;
  bool escapes_;
  std::uint32_t p_escape_ = 1024;
};

}  // namespace smll::codec
