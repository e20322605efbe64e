// A dictionary's file, as it is and with a check that fits: what is taken comes back the same.
#include <xxhash.h>

#include <cstdlib>

#include "codec/dictionary.h"
#include "format/byte_io.h"
#include "smll/error.h"

namespace {

using namespace smll;

void parse(ByteView file) {
  try {
    const auto dictionary = codec::Dictionary::parse(file);
    const auto again = codec::Dictionary::parse(dictionary->serialize());
    if (again->identity() != dictionary->identity() || again->name() != dictionary->name()) {
      std::abort();
    }
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  parse({data, size});
  if (size < 8) return 0;
  Bytes checked(data, data + size - 8);
  format::put_u64(checked, XXH3_64bits(data, checked.size()));
  parse(checked);
  return 0;
}
