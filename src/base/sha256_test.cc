#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace smll {
namespace {

// `piece` bytes at a time.
std::string hash_of(const std::string& text, std::size_t piece) {
  Sha256 hash;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const std::string part = text.substr(at, piece);
    hash.update({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
  }
  return hash.hex();
}

// Examples of FIPS 180-4 and of NIST's validation programme.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(hash_of("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_of("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 5),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash_of(std::string(1000000, 'a'), 999),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// What is padded with every number of bytes, and given in pieces of every size.
TEST(Sha256, PiecesDoNotMatter) {
  for (std::size_t size = 0; size < 200; ++size) {
    const std::string text(size, 'x');
    const std::string whole = hash_of(text, 1000);
    for (const std::size_t piece : {1, 55, 63, 64, 65}) EXPECT_EQ(hash_of(text, piece), whole);
  }
}

}  // namespace
}  // namespace smll
