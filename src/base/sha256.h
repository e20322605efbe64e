// SHA-256, by which downloads are checked.
//
// Source: FIPS 180-4.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace smll {

class Sha256 {
 public:
  void update(std::span<const std::uint8_t> bytes);
  // Of all that was given, in lower-case hexadecimal. Nothing may be given afterwards.
  std::string hex();

 private:
  void block(const std::uint8_t* bytes);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> rest_{};  // what fills no block yet
  std::uint64_t size_ = 0;               // bytes given
};

// Throws Error(kIo).
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace smll
