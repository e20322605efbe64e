#include "codec/plain_mixer.h"

#include <span>

#include "codec/english.h"

namespace smll::codec {

PlainMixer::PlainMixer(Method method, std::size_t size)
    : before_(method == Method::kCmEnglish ? common_english() : std::string_view()),
      lane_{0, before_.size() + size},
      mixer_(mix::Experts::kCm,
             method == Method::kCmFast ? mix::Strength::kFast : mix::Strength::kStrong, lane_.size,
             {&lane_, 1}) {
  for (const char c : before_) {
    for (int shift = 7; shift >= 0; --shift) {
      mixer_.predict_bit_cm(0);  // an update learns from the prediction before it
      mixer_.update_bit(0, static_cast<unsigned char>(c) >> shift & 1);
    }
  }
}

std::vector<std::uint8_t> PlainMixer::bytes() const {
  const std::span<const std::uint8_t> frame = mixer_.bytes().subspan(before_.size());
  return {frame.begin(), frame.end()};
}

}  // namespace smll::codec
