// decompress() on anything, with the model that SMLL_MODEL names (the small generated one) where
// data needs it. A few bytes may be the code of a large text, which takes the model minutes under
// sanitizers: hence the limit.
#include "fuzz_common.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  static const Compressor compressor(fuzz::model());
  try {
    compressor.decompress(ByteView(data, size), {.max_bytes = std::uint64_t{1} << 12});
  } catch (const Error&) {
  }
  return 0;
}
