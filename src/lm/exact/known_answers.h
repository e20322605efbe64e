// Hard cases of the five operations that all exact arithmetic is made of, with the results that
// IEEE 754 prescribes: products whose sum a double would round twice, quotients and roots next to
// the middle between two floats, subnormal numbers, the largest one, signs of zero. Computed with
// fractions of integers. An engine that gets one of them wrong must not run.
#pragma once

#include <cstddef>
#include <cstdint>

namespace smll::exact {

struct KnownAnswer {
  enum Operation : std::uint32_t { kFma, kDivide, kSquareRoot, kAdd, kMultiply };

  Operation operation;
  std::uint32_t a, b, c;  // bits of the operands, as far as there are any
  std::uint32_t result;
};

// clang-format off
inline constexpr KnownAnswer kKnownAnswers[] = {
    {KnownAnswer::kFma, 0x3200001cu, 0x3f7fffc8u, 0x3e2a53c9u, 0x3e2a53c9u},
    {KnownAnswer::kFma, 0x32800002u, 0x3f7ffffcu, 0x3eaf4f9du, 0x3eaf4f9du},
    {KnownAnswer::kFma, 0x4000002fu, 0x3f7fffa2u, 0xcc59db63u, 0xcc59db63u},
    {KnownAnswer::kFma, 0x4b00000fu, 0x3f7fffe2u, 0x570ee6cfu, 0x570ee6cfu},
    {KnownAnswer::kFma, 0xb6800006u, 0x3f7ffff4u, 0xc2f77e4fu, 0xc2f77e4fu},
    {KnownAnswer::kFma, 0x38000020u, 0x3f7fffc0u, 0x44516c83u, 0x44516c83u},
    {KnownAnswer::kFma, 0xc480001au, 0x3f7fffccu, 0xd0982981u, 0xd0982981u},
    {KnownAnswer::kFma, 0x38800025u, 0x3f7fffb6u, 0x44e48981u, 0x44e48981u},
    {KnownAnswer::kFma, 0x39800038u, 0x3f7fff90u, 0xc587f581u, 0xc587f581u},
    {KnownAnswer::kFma, 0x4000001du, 0x3f7fffc6u, 0x4c0d772bu, 0x4c0d772bu},
    {KnownAnswer::kFma, 0xbe1ff18eu, 0x3ce60d86u, 0x3b8fbb79u, 0x2f5eb358u},
    {KnownAnswer::kFma, 0xbd2c160cu, 0x3c956faau, 0x3a48e7cau, 0x2db8a020u},
    {KnownAnswer::kFma, 0x3e438133u, 0xbd540d52u, 0x3c21f12au, 0xafd5f2acu},
    {KnownAnswer::kFma, 0x415b1560u, 0x3fd9efa2u, 0xc1ba8232u, 0xb37b2800u},
    {KnownAnswer::kFma, 0x1fbca487u, 0x1427efc7u, 0x0015f952u, 0x0015f952u},
    {KnownAnswer::kFma, 0x1ea113efu, 0x15732d40u, 0x8020a5bdu, 0x8020a5bcu},
    {KnownAnswer::kFma, 0x9efb9795u, 0x95e894c1u, 0x80015515u, 0x80015513u},
    {KnownAnswer::kFma, 0x1e32db3au, 0x145c02ccu, 0x800a412bu, 0x800a412bu},
    {KnownAnswer::kFma, 0x00390baau, 0xc856ce76u, 0x0b6a8700u, 0x0b648b48u},
    {KnownAnswer::kFma, 0x001c3c9cu, 0xc8e61eaau, 0x8b39b54au, 0x8b400dc0u},
    {KnownAnswer::kFma, 0x7f7fffffu, 0x3f800000u, 0x72ffffffu, 0x7f7fffffu},
    {KnownAnswer::kFma, 0x7f7fffffu, 0x3f800000u, 0x73000000u, 0x7f800000u},
    {KnownAnswer::kFma, 0x5f800000u, 0x60000000u, 0xff7fffffu, 0x7f800000u},
    {KnownAnswer::kFma, 0x80000000u, 0x3f800000u, 0x80000000u, 0x80000000u},
    {KnownAnswer::kFma, 0x80000000u, 0x3f800000u, 0x00000000u, 0x00000000u},
    {KnownAnswer::kFma, 0x3f800000u, 0x3f800000u, 0xbf800000u, 0x00000000u},
    {KnownAnswer::kFma, 0x80000001u, 0x00000001u, 0x80000000u, 0x80000000u},
    {KnownAnswer::kDivide, 0x3fc6acfcu, 0x3fe94cf5u, 0x00000000u, 0x3f5a0198u},
    {KnownAnswer::kDivide, 0x3fe8dbf3u, 0x3fbf26d3u, 0x00000000u, 0x3f9bedacu},
    {KnownAnswer::kDivide, 0x3f9cf3beu, 0x3ff80f8fu, 0x00000000u, 0x3f21f9b4u},
    {KnownAnswer::kDivide, 0x3ffd5d68u, 0x3ff2811du, 0x00000000u, 0x3f85bb82u},
    {KnownAnswer::kDivide, 0x3f806944u, 0x3fcf0223u, 0x00000000u, 0x3f1ecd39u},
    {KnownAnswer::kDivide, 0x3f8bcbe9u, 0x3f89dadbu, 0x00000000u, 0x3f81cd85u},
    {KnownAnswer::kDivide, 0x3f918bd5u, 0x3fb52a3du, 0x00000000u, 0x3f4daaffu},
    {KnownAnswer::kDivide, 0x3facc359u, 0x3fab3fecu, 0x00000000u, 0x3f812194u},
    {KnownAnswer::kDivide, 0x3f800000u, 0x42fe0000u, 0x00000000u, 0x3c010204u},
    {KnownAnswer::kDivide, 0x42fe0000u, 0x3f800001u, 0x00000000u, 0x42fdfffeu},
    {KnownAnswer::kDivide, 0x42fe0000u, 0x7effffffu, 0x00000000u, 0x037e0001u},
    {KnownAnswer::kDivide, 0x42fe0000u, 0x0da24261u, 0x00000000u, 0x74c85ee3u},
    {KnownAnswer::kDivide, 0x46fffe00u, 0x0da24261u, 0x00000000u, 0x78c9f135u},
    {KnownAnswer::kDivide, 0x7f7fffffu, 0x42fe0000u, 0x00000000u, 0x7c010204u},
    {KnownAnswer::kDivide, 0x0da24261u, 0x42fe0000u, 0x00000000u, 0x0a238974u},
    {KnownAnswer::kDivide, 0xc2fe0000u, 0x7f7fffffu, 0x00000000u, 0x82fe0001u},
    {KnownAnswer::kDivide, 0x00800000u, 0x40400000u, 0x00000000u, 0x002aaaabu},
    {KnownAnswer::kDivide, 0x00400001u, 0x3fc00000u, 0x00000000u, 0x002aaaabu},
    {KnownAnswer::kDivide, 0x00000003u, 0x40000000u, 0x00000000u, 0x00000002u},
    {KnownAnswer::kDivide, 0x80000001u, 0x40000000u, 0x00000000u, 0x80000000u},
    {KnownAnswer::kDivide, 0x00000001u, 0x00000003u, 0x00000000u, 0x3eaaaaabu},
    {KnownAnswer::kDivide, 0x7f7fffffu, 0x3f7fffffu, 0x00000000u, 0x7f800000u},
    {KnownAnswer::kDivide, 0x00ffffffu, 0x3f7fffffu, 0x00000000u, 0x01000000u},
    {KnownAnswer::kDivide, 0x3f800000u, 0x00200001u, 0x00000000u, 0x7f7ffff8u},
    {KnownAnswer::kDivide, 0x3f800000u, 0x80000000u, 0x00000000u, 0xff800000u},
    {KnownAnswer::kDivide, 0x80000000u, 0x3f800000u, 0x00000000u, 0x80000000u},
    {KnownAnswer::kSquareRoot, 0x402e5effu, 0x00000000u, 0x00000000u, 0x3fd34789u},
    {KnownAnswer::kSquareRoot, 0x3fb1459bu, 0x00000000u, 0x00000000u, 0x3f96a27au},
    {KnownAnswer::kSquareRoot, 0x3fc765d8u, 0x00000000u, 0x00000000u, 0x3f9fc24bu},
    {KnownAnswer::kSquareRoot, 0x3ff22ff5u, 0x00000000u, 0x00000000u, 0x3fb01170u},
    {KnownAnswer::kSquareRoot, 0x3ff22ff5u, 0x00000000u, 0x00000000u, 0x3fb01170u},
    {KnownAnswer::kSquareRoot, 0x40373495u, 0x00000000u, 0x00000000u, 0x3fd890c0u},
    {KnownAnswer::kSquareRoot, 0x00000001u, 0x00000000u, 0x00000000u, 0x1a3504f3u},
    {KnownAnswer::kSquareRoot, 0x007fffffu, 0x00000000u, 0x00000000u, 0x1fffffffu},
    {KnownAnswer::kSquareRoot, 0x00800000u, 0x00000000u, 0x00000000u, 0x20000000u},
    {KnownAnswer::kSquareRoot, 0x7f7fffffu, 0x00000000u, 0x00000000u, 0x5f7fffffu},
    {KnownAnswer::kSquareRoot, 0x3f7fffffu, 0x00000000u, 0x00000000u, 0x3f7fffffu},
    {KnownAnswer::kSquareRoot, 0x3f800001u, 0x00000000u, 0x00000000u, 0x3f800000u},
    {KnownAnswer::kSquareRoot, 0x40000000u, 0x00000000u, 0x00000000u, 0x3fb504f3u},
    {KnownAnswer::kSquareRoot, 0x3727c5acu, 0x00000000u, 0x00000000u, 0x3b4f3e37u},
    {KnownAnswer::kSquareRoot, 0x80000000u, 0x00000000u, 0x00000000u, 0x80000000u},
    {KnownAnswer::kAdd, 0x4b400000u, 0x3f000000u, 0x00000000u, 0x4b400000u},
    {KnownAnswer::kAdd, 0x4b400000u, 0x3fc00000u, 0x00000000u, 0x4b400002u},
    {KnownAnswer::kAdd, 0x00000001u, 0x80000003u, 0x00000000u, 0x80000002u},
    {KnownAnswer::kAdd, 0x00800000u, 0x807fffffu, 0x00000000u, 0x00000001u},
    {KnownAnswer::kAdd, 0x3f800000u, 0xbf800000u, 0x00000000u, 0x00000000u},
    {KnownAnswer::kAdd, 0x80000000u, 0x80000000u, 0x00000000u, 0x80000000u},
    {KnownAnswer::kMultiply, 0x00000001u, 0x3f000000u, 0x00000000u, 0x00000000u},
    {KnownAnswer::kMultiply, 0x00000003u, 0x3f000000u, 0x00000000u, 0x00000002u},
    {KnownAnswer::kMultiply, 0x80000001u, 0x3f000001u, 0x00000000u, 0x80000001u},
    {KnownAnswer::kMultiply, 0x20000001u, 0x1f800001u, 0x00000000u, 0x00400001u},
    {KnownAnswer::kMultiply, 0x1a259487u, 0xa05fe02fu, 0x00000000u, 0x8000121au},
    {KnownAnswer::kMultiply, 0x9df9b2f1u, 0x9aa93c29u, 0x00000000u, 0x0000014au},
    {KnownAnswer::kMultiply, 0x9d1a3e64u, 0x99e75d83u, 0x00000000u, 0x00000023u},
};
// clang-format on
inline constexpr std::size_t kKnownAnswerCount = sizeof(kKnownAnswers) / sizeof(KnownAnswer);

}  // namespace smll::exact
