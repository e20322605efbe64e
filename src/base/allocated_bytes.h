// How much memory the process has allocated: for tests of what something is said to take.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace smll {

// Empty where the C library does not say, or an allocator in its place (a sanitizer's) does not.
inline std::optional<std::uint64_t> allocated_bytes() {
#ifdef __GLIBC__
  const auto count = [] {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<std::uint64_t>(info.uordblks + info.hblkhd);
  };
  constexpr std::size_t kProbe = std::size_t{1} << 20;
  const std::uint64_t before = count();
  const auto probe = std::make_unique<std::uint8_t[]>(kProbe);
  // An allocation that nobody uses may be left out.
  asm volatile("" : : "r"(probe.get()) : "memory");
  if (count() >= before + kProbe) return before;
#endif
  return std::nullopt;
}

}  // namespace smll
