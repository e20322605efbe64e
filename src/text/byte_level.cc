#include "text/byte_level.h"

#include <array>

namespace smll::text {
namespace {

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

struct StandIns {
  std::array<char32_t, 256> points{};
  std::array<std::string, 256> spelled;

  StandIns() {
    char32_t next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const char32_t point = stands_for_itself(byte) ? byte : next++;
      points[byte] = point;
      if (point < 0x80) {
        spelled[byte] = static_cast<char>(point);
      } else {
        spelled[byte] = {static_cast<char>(0xc0 | point >> 6),
                         static_cast<char>(0x80 | (point & 0x3f))};
      }
    }
  }
};

const StandIns& stand_ins() {
  static const StandIns all;
  return all;
}

}  // namespace

std::string_view stand_in(std::uint8_t byte) { return stand_ins().spelled[byte]; }

int byte_of_stand_in(char32_t point) {
  static const std::array<int, 512> bytes = [] {
    std::array<int, 512> all{};
    all.fill(-1);
    for (int byte = 0; byte < 256; ++byte)
      all[stand_ins().points[static_cast<std::size_t>(byte)]] = byte;
    return all;
  }();
  return point < bytes.size() ? bytes[point] : -1;
}

std::string in_stand_ins(std::string_view text) {
  std::string out;
  out.reserve(text.size() * 3 / 2);
  for (const char c : text) out += stand_in(static_cast<std::uint8_t>(c));
  return out;
}

}  // namespace smll::text
