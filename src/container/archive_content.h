// What the frames of one archive hold together, for the checksum in its end record. They may still
// be decoded when the end record has been read, or the next archive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "container/stream_hash.h"
#include "format/records.h"
#include "smll/io.h"

namespace smll::container {

class ArchiveContent {
 public:
  // A frame's payload was read: check_frame() is to come, unless decoding fails.
  void expect_frame() { ++unchecked_; }
  // Some frame was skipped or is damaged: the whole cannot be checked.
  void leave_out() { complete_ = false; }
  // The checksum that the end record, which `place` names, has of the whole.
  void expect(std::uint64_t digest, std::string place);

  // Throws Error(kData) unless `raw` is what the frame of this header and number was made from and
  // `payload` what was written for it. To be called in the frames' order.
  void check_frame(const format::FrameHeader& frame, std::uint64_t number, ByteView raw,
                   ByteView payload);
  // Once all frames were checked or have failed. Throws Error(kData) where the whole can be checked
  // and differs.
  void check_whole() const;

 private:
  StreamHash hash_;
  bool complete_ = true;
  std::uint64_t unchecked_ = 0;
  std::optional<std::uint64_t> expected_;
  std::string place_;
};

}  // namespace smll::container
