// A dictionary's file: what is taken comes back the same.
#include <cstdlib>

#include "codec/dictionary.h"
#include "smll/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  try {
    const auto dictionary = codec::Dictionary::parse(ByteView(data, size));
    const auto again = codec::Dictionary::parse(dictionary->serialize());
    if (again->identity() != dictionary->identity() || again->name() != dictionary->name()) {
      std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
