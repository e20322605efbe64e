#include "codec/plain_mixer.h"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <span>

#include "codec/english.h"

namespace smll::codec {
namespace {

// Reading English takes longer than a small frame does. What a mixer has learned from it is kept
// for the size classes up to this one, frames below 22 KB: 50 MB and 100 MB, once used.
constexpr int kLargestKept = 15;

bool is_kept(std::size_t size) { return mix::FrameMixer::size_class(size) <= kLargestKept; }

mix::FrameMixer fresh_mixer(mix::Strength strength, std::size_t size) {
  const mix::LaneExtent lane{0, size};
  return {mix::Sources::kCm, strength, size, {&lane, 1}};
}

void read_english(mix::FrameMixer& mixer) {
  for (const char c : common_english()) {
    for (int shift = 7; shift >= 0; --shift) {
      mixer.predict_bit_cm(0);  // an update learns from the prediction before it
      mixer.update_bit(0, static_cast<unsigned char>(c) >> shift & 1);
    }
  }
}

// One that has read English, for frames of the size class of `size`.
const mix::FrameMixer& kept_reader(std::size_t size) {
  static std::mutex mutex;
  static std::array<std::unique_ptr<mix::FrameMixer>, kLargestKept + 1> readers;
  const std::lock_guard lock(mutex);
  auto& reader = readers[static_cast<std::size_t>(mix::FrameMixer::size_class(size))];
  if (!reader) {
    reader.reset(new mix::FrameMixer(fresh_mixer(mix::Strength::kStrong, size)));
    read_english(*reader);
  }
  return *reader;
}

mix::FrameMixer begin(format::Method method, std::size_t size) {
  if (method == format::Method::kCmEnglish && is_kept(size)) return {kept_reader(size), size};
  return fresh_mixer(
      method == format::Method::kCmFast ? mix::Strength::kFast : mix::Strength::kStrong, size);
}

}  // namespace

PlainMixer::PlainMixer(format::Method method, std::size_t size)
    : before_(method == format::Method::kCmEnglish ? common_english().size() : 0),
      mixer_(begin(method, before_ + size)) {
  if (before_ > 0 && !is_kept(before_ + size)) read_english(mixer_);
}

std::uint64_t PlainMixer::memory(format::Method method, std::size_t size) {
  const auto mixer = [](mix::Strength strength, std::size_t bytes) {
    return mix::FrameMixer::memory(mix::Sources::kCm, strength, bytes);
  };
  if (method == format::Method::kCmFast) return mixer(mix::Strength::kFast, size);
  if (method == format::Method::kCm) return mixer(mix::Strength::kStrong, size);
  const std::size_t whole = common_english().size() + size;
  return mixer(mix::Strength::kStrong, whole) * (is_kept(whole) ? 2 : 1);
}

std::vector<std::uint8_t> PlainMixer::bytes() const {
  const std::span<const std::uint8_t> frame = mixer_.bytes().subspan(before_);
  return {frame.begin(), frame.end()};
}

}  // namespace smll::codec
