// Walks the records of one or more concatenated archives, checking each before its lengths are
// believed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "container/archive_content.h"
#include "container/archive_index.h"
#include "container/buffered_input.h"
#include "container/stream_hash.h"
#include "format/records.h"
#include "smll/io.h"

namespace smll::container {

class ArchiveParser {
 public:
  explicit ArchiveParser(Source& source) : input_(source) {}

  // Goes to the next frame and reads its header; false at the end of the last archive. The payload
  // of the frame before must have been read or skipped. Throws Error(kData), naming frame and
  // offset.
  bool next_frame();

  // True when another frame, or the archive's end, can be had without waiting for the source. Then
  // it may be read ahead, before the content of the frames before is checked.
  bool more_follows();
  // Where more_follows(): reads the end record, if that is next, and leaves the checksum of the
  // whole content to content()->check_whole(). False where it is not.
  bool end_archive();

  const format::FrameHeader& frame() const { return frame_; }
  // Counted from 0 in each archive.
  std::uint64_t frame_number() const { return number_; }
  // Where the frame's record (with what precedes it since the frame before) starts in the source.
  std::uint64_t frame_offset() const { return region_start_; }
  std::uint64_t position() const { return input_.position(); }
  std::uint64_t archives() const { return archives_; }
  // Zero bytes passed over behind archives.
  std::uint64_t padding() const { return padding_; }
  // The model record of this archive, once a frame needed it.
  const std::optional<format::ModelRecord>& model() const { return model_; }

  void read_payload(Bytes& out);
  void skip_payload();
  // Of the archive that was read last.
  const std::shared_ptr<ArchiveContent>& content() const { return content_; }

  // Before the first frame of a seekable source: goes to the first frame with data behind `raw`, of
  // what all archives decompress to, and gives where its data starts. Nothing where the indexes do
  // not lead there; then the first frame is still next.
  std::optional<std::uint64_t> go_to_data(std::uint64_t raw);

  // The frame number and offset, for messages: "frame 3 (at byte 12345)".
  std::string place() const;

  // Goes on at the next frame that can be found: through the index at the source's end or, where
  // there is none, by looking at what follows. False when there is no more. For use after
  // next_frame() threw.
  bool resume_after_damage();

 private:
  // Where a frame was found, and what its archive's index says of the model.
  void resume_at(std::uint64_t number, const std::optional<format::ModelRecord>& model);
  // Refuses a frame that is not the one that the index led to.
  void check_indexed();
  bool resume_by_index();
  bool resume_by_scan();
  void load_index();
  // Passes over zero bytes behind an archive; false at the end of the source.
  bool skip_padding();
  void start_archive();
  void read_frame_records(std::uint8_t tag);
  bool is_within_archive() const;
  void end_frame();
  void read_end_record();
  std::string end_place() const;
  void read_index(StreamHash& check);
  void skip_index(std::uint64_t size, StreamHash& check);
  void read_trailer(std::uint64_t end_size);
  std::uint8_t header_byte();

  BufferedInput input_;
  format::FrameHeader frame_;
  std::uint64_t number_ = 0;
  std::uint64_t region_start_ = 0;
  std::uint64_t archives_ = 0;
  std::uint64_t padding_ = 0;
  bool in_archive_ = false;
  bool single_ = false;
  bool frame_open_ = false;  // a frame's header has been read and its payload has not been ended
  // False once frames were jumped over: the index cannot be compared then.
  bool entries_complete_ = true;
  std::optional<format::ModelRecord> model_;
  Bytes model_bytes_;
  Bytes header_;  // bytes since the frame before, for the header's check
  std::shared_ptr<ArchiveContent> content_ = std::make_shared<ArchiveContent>();
  StreamHash entries_;
  std::uint64_t entries_size_ = 0;
  std::optional<ArchiveIndex> index_;          // of a seekable source, from the first damage on
  std::optional<std::uint64_t> indexed_size_;  // of the next frame's data, where an index says it
};

}  // namespace smll::container
