#include "format/compact.h"

#include <xxhash.h>

#include <string>

#include "format/byte_io.h"
#include "smll/error.h"

namespace smll::format {
namespace {

constexpr std::uint8_t kCompactMark = 0x80;
constexpr std::uint8_t kMethodMask = 0x70;
constexpr int kMethodShift = 4;
// First byte of a compact text with a later prediction set, whose number follows. The others with
// this method's bits are left to files, which begin with one of them.
constexpr std::uint8_t kLaterSet = 0xF0;

struct Checks {
  std::uint8_t high;  // 4 bits
  std::uint8_t low;
};

Checks checks(ByteView raw) {
  const std::uint64_t content = XXH3_64bits(raw.data(), raw.size());
  return {static_cast<std::uint8_t>(content >> 8 & 0x0F), static_cast<std::uint8_t>(content)};
}

std::uint8_t short_check(ByteView raw, std::uint64_t identity) {
  return XXH3_64bits_withSeed(raw.data(), raw.size(), identity) & 0x7F;
}

int method_bits(ByteView data) { return (data[0] & kMethodMask) >> kMethodShift; }

}  // namespace

bool is_compact(ByteView data) {
  if (data.size() < kCompactOverhead || (data[0] & kCompactMark) == 0) return false;
  return data[0] <= kLaterSet;
}

Bytes pack_compact(Method method, ByteView payload, ByteView raw) {
  const Checks check = checks(raw);
  Bytes data;
  data.reserve(kCompactOverhead + payload.size());
  data.push_back(static_cast<std::uint8_t>(
      kCompactMark | static_cast<std::uint8_t>(method) << kMethodShift | check.high));
  data.push_back(check.low);
  data.insert(data.end(), payload.begin(), payload.end());
  return data;
}

Method compact_method(ByteView data) {
  if (data[0] == kLaterSet) {
    throw Error(ErrorKind::kData,
                "the data is damaged, or has predictions of a later smll: decompress it with that");
  }
  const int number = method_bits(data);
  const auto method = static_cast<Method>(number);
  if (number == kRetiredMethod || needs_model(method)) {
    throw Error(ErrorKind::kData,
                "the data is damaged, or was compressed by a smll before 1.0: decompress it with "
                "smll 0.1");
  }
  return method;
}

bool compact_content_fits(ByteView data, ByteView raw) {
  const Checks check = checks(raw);
  return check.high == (data[0] & 0x0F) && check.low == data[1];
}

bool is_short(ByteView data) {
  return data.size() >= kShortOverhead && (data[0] & kCompactMark) == 0;
}

Bytes pack_short(ByteView payload, ByteView raw, std::uint64_t identity) {
  Bytes data = {short_check(raw, identity)};
  data.insert(data.end(), payload.begin(), payload.end());
  return data;
}

bool short_content_fits(ByteView data, ByteView raw, std::uint64_t identity) {
  return data[0] == short_check(raw, identity);
}

}  // namespace smll::format
