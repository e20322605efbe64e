// One frame's payload, past all checks of the container. The first byte chooses the method, the
// next two the raw size.
#include "api/internals.h"
#include "codec/frame_codec.h"
#include "fuzz_common.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  if (size < 3) return 0;
  const auto method = static_cast<format::Method>(data[0] % format::kMethods);
  // The model is slow under sanitizers; what its frames may do does not depend on their size.
  const std::size_t mask = format::needs_model(method) ? 0x3FF : 0xFFF;
  const std::size_t raw_size = (data[1] | data[2] << 8) & mask;
  static codec::FrameCodec codec(Internals::source(fuzz::model()).for_writing());
  try {
    codec.decode(method, raw_size, ByteView(data + 3, size - 3));
  } catch (const Error&) {
  }
  try {
    if (format::needs_model(method)) codec.decode_short(ByteView(data + 3, size - 3), mask);
  } catch (const Error&) {
  }
  try {
    codec.decode_compact(method, ByteView(data + 3, size - 3), mask);
  } catch (const Error&) {
  }
  return 0;
}
