// A Reader on anything, as its options can be: ranges, going on behind damage, limits, pipes, two
// threads. The first four bytes choose them.
#include <cstdlib>
#include <string>

#include "fuzz_common.h"

namespace {

using namespace smll;

// One that may read ahead in a second thread.
const Model& two_threads() {
  static const Model model = [] {
    ModelOptions options = fuzz::model().options();
    options.threads = 2;
    return Model(options);
  }();
  return model;
}

ReadOptions options_of(const std::uint8_t* bytes) {
  ReadOptions options;
  options.keep_going = (bytes[0] & 1) != 0;
  if ((bytes[0] & 2) != 0) {
    options.range = Range{bytes[1], (bytes[0] & 4) != 0 ? bytes[2] : UINT64_MAX};
  }
  if ((bytes[0] & 8) != 0) options.max_bytes = bytes[3];
  // Under sanitizers the largest frames take minutes.
  options.max_memory = std::uint64_t{32} << 20;
  options.max_seconds = 2;
  return options;
}

// All that the reader gives before it fails or ends; how, in `error`.
Bytes read_all(Reader& reader, std::string& error) {
  Bytes data, part(100);
  try {
    while (const std::size_t got = reader.read(part)) {
      data.insert(data.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
  } catch (const Error& caught) {
    error = caught.what();
  }
  return data;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const ReadOptions options = options_of(data);
  fuzz::MaybePipe source(ByteView(data, size).subspan(4), (data[0] & 16) != 0);
  Reader reader((data[0] & 32) != 0 ? two_threads() : fuzz::model(), options, source);
  std::string first, second;
  const Bytes given = read_all(reader, first);
  if (options.max_bytes != 0 && given.size() > options.max_bytes) std::abort();
  if (options.range && given.size() > options.range->length) std::abort();
  // It has ended, one way or the other.
  if (!read_all(reader, second).empty() || first != second) std::abort();
  return 0;
}
