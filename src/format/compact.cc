#include "format/compact.h"

#include <xxhash.h>

#include "format/byte_io.h"

namespace smll::format {
namespace {

constexpr std::uint8_t kCompactMark = 0x80;
// A first byte with number 7 could be the magic's. So the mixed method keeps the number that it had
// before its predictions changed; its identity tells the two apart.
constexpr std::uint8_t kMixedNumber = kRetiredMethod;
constexpr std::uint64_t kMixedIdentity = 1;

std::uint8_t number_of(Method method) {
  return method == Method::kMixed ? kMixedNumber : static_cast<std::uint8_t>(method);
}

struct Checks {
  std::uint8_t model;    // 4 bits
  std::uint8_t content;  // 8 bits
};

Checks checks(Method method, ByteView raw, std::uint64_t identity) {
  if (method == Method::kMixed) identity += kMixedIdentity;
  const std::uint64_t seed = needs_model(method) ? identity : 0;
  const std::uint64_t content = XXH3_64bits_withSeed(raw.data(), raw.size(), seed);
  Bytes name;
  put_u64(name, identity);
  const std::uint64_t model =
      needs_model(method) ? XXH3_64bits(name.data(), name.size()) : content >> 8;
  return {static_cast<std::uint8_t>(model & 0x0F), static_cast<std::uint8_t>(content)};
}

std::uint8_t short_check(ByteView raw, std::uint64_t identity) {
  return XXH3_64bits_withSeed(raw.data(), raw.size(), identity) & 0x7F;
}

}  // namespace

bool is_compact(ByteView data) {
  return data.size() >= kCompactOverhead && (data[0] & kCompactMark) != 0 &&
         ((data[0] >> 4) & 7) != static_cast<int>(Method::kMixed);
}

Bytes pack_compact(Method method, ByteView payload, ByteView raw, std::uint64_t identity) {
  const Checks check = checks(method, raw, identity);
  Bytes data;
  data.reserve(kCompactOverhead + payload.size());
  data.push_back(static_cast<std::uint8_t>(kCompactMark | number_of(method) << 4 | check.model));
  data.push_back(check.content);
  data.insert(data.end(), payload.begin(), payload.end());
  return data;
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

Method compact_method(ByteView data) {
  const int number = (data[0] >> 4) & 7;
  return number == kMixedNumber ? Method::kMixed : static_cast<Method>(number);
}

bool compact_model_fits(ByteView data, std::uint64_t identity) {
  const Method method = compact_method(data);
  return !needs_model(method) || checks(method, {}, identity).model == (data[0] & 0x0F);
}

bool compact_content_fits(ByteView data, ByteView raw, std::uint64_t identity) {
  const Checks check = checks(compact_method(data), raw, identity);
  return check.model == (data[0] & 0x0F) && check.content == data[1];
}

}  // namespace smll::format
