#include "container/archive_writer.h"

#include <utility>

#include "format/byte_io.h"

namespace smll::container {

ArchiveWriter::ArchiveWriter(Sink& sink) : sink_(sink) {}

void ArchiveWriter::add(const format::Frame& frame, ByteView raw,
                        const format::ModelRecord* model) {
  Record record;
  record.raw_size = raw.size();
  record.method = frame.method;
  if (format::needs_model(frame.method) && model_.empty()) {
    format::put_model_record(model_, *model);
    record.header = model_;
  }
  format::put_frame_header(record.header, {frame.method, raw.size(), frame.payload.size(),
                                           format::content_check(raw, frame.payload, frames_)});
  record.payload = frame.payload;
  content_.update(raw);
  if (frames_ == 0) {
    held_ = std::move(record);
  } else {
    release_held(false);
    write_record(std::move(record), frames_);
  }
  ++frames_;
}

void ArchiveWriter::flush() {
  release_held(false);
  sink_.flush();
}

void ArchiveWriter::finish() {
  if (frames_ == 0) add(format::Frame{}, {}, nullptr);
  const bool single = held_.has_value();
  release_held(single);
  if (!single) write_end();
  sink_.flush();
}

std::uint64_t ArchiveWriter::archive_bytes() const {
  if (!held_) return written_;
  return written_ + format::kFileHeaderSize + held_->header.size() + 1 + held_->payload.size();
}

void ArchiveWriter::release_held(bool single) {
  if (!held_) return;
  Record record = *std::exchange(held_, std::nullopt);
  Bytes header;
  format::put_file_header(header, single);
  header.insert(header.end(), record.header.begin(), record.header.end());
  record.header = std::move(header);
  write_record(std::move(record), 0);
}

void ArchiveWriter::write_record(Record record, std::uint64_t number) {
  record.header.push_back(format::header_check(record.header, number));
  format::put_entry(index_,
                    {record.header.size() + record.payload.size(), record.raw_size, record.method});
  put(record.header);
  put(record.payload);
}

void ArchiveWriter::write_end() {
  Bytes body;
  put_varint(body, frames_);
  body.insert(body.end(), index_.begin(), index_.end());
  body.insert(body.end(), model_.begin(), model_.end());
  format::put_u64(body, content_.digest());

  Bytes end;
  end.push_back(format::kTagEnd);
  put_varint(end, body.size());
  end.insert(end.end(), body.begin(), body.end());
  StreamHash check;
  check.update(end);
  format::put_u64(end, check.digest());
  format::put_u32(end, static_cast<std::uint32_t>(end.size()));
  end.insert(end.end(), format::kEndMagic.begin(), format::kEndMagic.end());
  put(end);
}

void ArchiveWriter::put(ByteView bytes) {
  if (!bytes.empty()) sink_.write(bytes);
  written_ += bytes.size();
}

}  // namespace smll::container
