// list() on anything, from a file or (by the first byte) a pipe.
#include <cstdlib>

#include "fuzz_common.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  if (size == 0) return 0;
  const ByteView archive = ByteView(data, size).subspan(1);
  fuzz::MaybePipe source(archive, (data[0] & 1) != 0);
  try {
    const ArchiveInfo info = list(source);
    std::uint64_t raw = 0, stored = 0;
    for (const FrameInfo& frame : info.frames) {
      raw += frame.raw_size;
      stored += frame.stored_size;
    }
    if (raw != info.raw_size || info.archive_size != archive.size()) std::abort();
    if (stored + info.padding > info.archive_size || info.archives == 0) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
