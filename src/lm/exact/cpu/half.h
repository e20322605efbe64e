// Between IEEE half and single precision, in integers. Only for translation units without wider
// flags.
#pragma once

#include <cstdint>
#include <cstring>

namespace smll::exact {
namespace {

// Exactly.
[[maybe_unused]] inline float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000) << 16;
  std::uint32_t exponent = (h >> 10) & 31;
  std::uint32_t mantissa = h & 0x3ff;
  std::uint32_t bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000u | (mantissa << 13);
  } else if (exponent != 0) {
    bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
  } else if (mantissa == 0) {
    bits = sign;
  } else {
    exponent = 113;
    while (!(mantissa & 0x400)) {
      mantissa <<= 1;
      --exponent;
    }
    bits = sign | (exponent << 23) | ((mantissa & 0x3ff) << 13);
  }
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

// The nearest half, of two equally near the even one; infinite from 65520 on.
[[maybe_unused]] inline std::uint16_t float_to_half(float f) {
  std::uint32_t bits;
  std::memcpy(&bits, &f, 4);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;  // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // The bits that stay, and those that are rounded away.
  std::uint32_t kept, lost, half;
  if (magnitude >= 0x38800000) {
    kept = (magnitude >> 13) - (112 << 10);
    lost = magnitude & 0x1fff;
    half = 0x1000;
  } else if (magnitude >= 0x33000000) {  // subnormal
    const std::uint32_t shift = 126 - (magnitude >> 23);
    const std::uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    kept = mantissa >> shift;
    lost = mantissa & ((1u << shift) - 1);
    half = 1u << (shift - 1);
  } else {
    return sign;
  }
  if (lost > half || (lost == half && kept % 2 != 0)) ++kept;
  return static_cast<std::uint16_t>(sign | kept);
}

}  // namespace
}  // namespace smll::exact
