// One frame's payload, past all checks of the container. The first byte chooses the method, the
// next two the raw size.
#include "codec/frame_codec.h"
#include "smll/smll.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  if (size < 3) return 0;
  // Methods without a model: decompress_fuzz reaches the others.
  const auto method = static_cast<codec::Method>(data[0] % 4);
  const std::size_t raw_size = data[1] | data[2] << 8;
  static codec::FrameCodec codec(nullptr);
  try {
    codec.decode(method, raw_size, ByteView(data + 3, size - 3));
  } catch (const Error&) {
  }
  try {
    codec.decode_compact(method, ByteView(data + 3, size - 3));
  } catch (const Error&) {
  }
  return 0;
}
