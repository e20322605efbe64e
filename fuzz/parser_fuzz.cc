// Records of an archive: headers, lengths, the end record, and the index that is read from the end.
#include "container/archive_index.h"
#include "container/archive_parser.h"
#include "smll/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  const ByteView bytes(data, size);
  MemorySource source(bytes);
  container::ArchiveIndex index(source);
  for (std::uint64_t at = 0; const auto frame = index.next_behind(at);) at = frame->offset;
  source.seek(0);
  container::ArchiveParser parser(source);
  Bytes payload;
  for (int recoveries = 0; recoveries < 4;) {
    try {
      if (!parser.next_frame()) break;
      parser.read_payload(payload);
      if (parser.frame().method == format::Method::kStored) {
        parser.content()->check_frame(parser.frame(), parser.frame_number() - 1, payload, payload);
      }
    } catch (const Error&) {
      ++recoveries;
      if (!parser.resume_after_damage()) break;
    }
  }
  return 0;
}
