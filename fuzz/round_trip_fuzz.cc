// What is written can be read, whatever it is and however it is cut into frames. The first byte
// chooses the methods, the second the size of frames.
#include <cstdlib>

#include "fuzz_common.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  if (size < 2) return 0;
  WriteOptions options;
  options.experts = static_cast<Experts>(data[0] & 3);
  options.lanes = data[0] >> 2 & 7;
  options.frame_size = 1 + data[1] * 16;
  const ByteView raw(data + 2, size - 2);
  MemorySink sink;
  Writer writer(fuzz::model(), options, sink);
  writer.write(raw);
  writer.finish();
  const Compressor compressor(fuzz::model(), options);
  const Bytes back = compressor.decompress(sink.bytes());
  if (back != Bytes(raw.begin(), raw.end())) std::abort();
  const Bytes small = compressor.decompress(compressor.compress(raw));
  if (small != back) std::abort();
  return 0;
}
