#include "container/archive_content.h"

#include <utility>

#include "smll/error.h"

namespace smll::container {

void ArchiveContent::expect(std::uint64_t digest, std::string place) {
  expected_ = digest;
  place_ = std::move(place);
}

void ArchiveContent::check_frame(const format::FrameHeader& frame, std::uint64_t number,
                                 ByteView raw, ByteView payload) {
  if (raw.size() != frame.raw_size ||
      format::content_check(raw, payload, number) != frame.content_check) {
    throw Error(ErrorKind::kData, "its content is damaged (the checksum differs)");
  }
  hash_.update(raw);
  --unchecked_;
}

void ArchiveContent::check_whole() const {
  if (!expected_ || !complete_ || unchecked_ != 0 || *expected_ == hash_.digest()) return;
  throw Error(ErrorKind::kData, place_ + ": the checksum of the whole content differs");
}

}  // namespace smll::container
