// Lays coded frames out as one archive.
#pragma once

#include <cstdint>
#include <optional>

#include "container/stream_hash.h"
#include "format/frame.h"
#include "format/records.h"
#include "smll/io.h"

namespace smll::container {

// Frames go to the sink as they come, except the first, which waits for the second, a flush() or
// finish(): only then is it known whether the archive can take the shorter single-frame form.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(Sink& sink);

  // `raw` is what `frame` was coded from. `model` must be given for frames that need one, and be
  // the same each time.
  void add(const format::Frame& frame, ByteView raw, const format::ModelRecord* model);
  // Writes out what is held back and flushes the sink.
  void flush();
  // Writes what ends the archive.
  void finish();

  std::uint64_t frames() const { return frames_; }
  // Bytes given to the sink or held back.
  std::uint64_t archive_bytes() const;

 private:
  // A frame's record, short of what is only known when it is written.
  struct Record {
    Bytes header;  // with the model record before it, without the check
    Bytes payload;
    std::uint64_t raw_size = 0;
    format::Method method = format::Method::kStored;
  };

  void write_record(Record record, std::uint64_t number);
  void release_held(bool single);
  void write_end();
  void put(ByteView bytes);

  Sink& sink_;
  StreamHash content_;
  std::optional<Record> held_;
  Bytes model_;  // the model record, once written
  std::uint64_t frames_ = 0;
  std::uint64_t written_ = 0;
  Bytes index_;  // entries of the frames written
};

}  // namespace smll::container
