#include "container/archive_parser.h"

#include <algorithm>
#include <utility>

#include "container/frame_scan.h"
#include "format/byte_io.h"

namespace smll::container {
namespace {

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorKind::kData, message); }

}  // namespace

std::string ArchiveParser::place() const {
  std::string where = "frame " + std::to_string(number_);
  if (archives_ > 1) where += " of archive " + std::to_string(archives_);
  return where + " (at byte " + std::to_string(region_start_) + ")";
}

std::uint8_t ArchiveParser::header_byte() {
  header_.push_back(input_.next_byte());
  return header_.back();
}

bool ArchiveParser::next_frame() {
  while (true) {
    if (!in_archive_) {
      if (archives_ != 0 && !skip_padding()) return false;
      start_archive();
    }
    if (number_ != 0 && single_) {
      in_archive_ = false;
      continue;
    }
    if (number_ != 0) region_start_ = input_.position();
    std::uint8_t tag;
    try {
      tag = header_byte();
    } catch (const Error&) {
      fail("the archive was cut after frame " + std::to_string(number_) + " (at byte " +
           std::to_string(input_.position()) + ")");
    }
    if (tag == format::kTagEnd && !single_) {
      read_end_record();
      content_->check_whole();
      continue;
    }
    read_frame_records(tag);
    return true;
  }
}

// Zero bytes behind an archive may be followed by whatever takes long to come.
bool ArchiveParser::more_follows() {
  if (archives_ == 0 || frame_open_ || !input_.ready() || input_.at_end()) return false;
  return is_within_archive() || input_.peek() == format::kMagic[0];
}

bool ArchiveParser::end_archive() {
  if (!is_within_archive() || number_ == 0 || input_.peek() != format::kTagEnd) return false;
  region_start_ = input_.position();
  header_byte();
  read_end_record();
  return true;
}

bool ArchiveParser::is_within_archive() const { return in_archive_ && (number_ == 0 || !single_); }

bool ArchiveParser::skip_padding() {
  while (!input_.at_end()) {
    if (input_.peek() != 0) return true;
    input_.skip(1);
    ++padding_;
  }
  return false;
}

// Reads a file header.
void ArchiveParser::start_archive() {
  region_start_ = input_.position();
  number_ = 0;
  header_.clear();
  for (std::size_t i = 0; i < format::kMagic.size(); ++i) {
    if (input_.at_end()) {
      if (i == 0) fail("the file is empty, not an smll archive");
      fail(archives_ == 0
               ? "not an smll archive"
               : "bytes follow the archive's end, at byte " + std::to_string(region_start_));
    }
    if (header_byte() == format::kMagic[i]) continue;
    if (archives_ == 0) fail("not an smll archive");
    fail("bytes that are no archive follow the archive's end, at byte " +
         std::to_string(region_start_));
  }
  const std::uint8_t version = header_byte();
  if ((version & format::kVersionMask) > format::kFormatVersion) {
    fail("the archive says that it needs a newer smll (format " +
         std::to_string(version & format::kVersionMask) + "; this one reads up to " +
         std::to_string(format::kFormatVersion) + ")");
  }
  if ((version & ~(format::kVersionMask | format::kFlagSingle)) != 0) {
    fail("the archive's header is damaged, or says what only a newer smll knows");
  }
  if ((version & format::kVersionMask) == 0) fail("the archive's header is damaged");
  single_ = (version & format::kFlagSingle) != 0;
  ++archives_;
  in_archive_ = entries_complete_ = true;
  content_ = std::make_shared<ArchiveContent>();
  model_.reset();
  model_bytes_.clear();
  entries_.reset();
  entries_size_ = 0;
}

void ArchiveParser::read_frame_records(std::uint8_t tag) {
  const format::NextByte next = [this] { return header_byte(); };
  try {
    std::optional<format::ModelRecord> model;
    Bytes model_bytes;
    if (tag & format::kTagModel) {
      if (model_) fail("a second model is named");
      const std::size_t start = header_.size() - 1;
      model = format::read_model_record(tag, next);
      model_bytes.assign(header_.begin() + start, header_.end());
      tag = header_byte();
    }
    const format::FrameHeader frame = format::read_frame_header(tag, next);
    const std::uint8_t expected = format::header_check(header_, number_);
    if (header_byte() != expected) fail("the header is damaged");
    if (model) {
      model_ = std::move(model);
      model_bytes_ = std::move(model_bytes);
    }
    // Recovery may have jumped over the record, so only a walk from the start can miss it.
    if (format::needs_model(frame.method) && !model_ && entries_complete_) {
      fail("no model is named for it");
    }
    frame_ = frame;
    check_indexed();
    frame_open_ = true;
  } catch (const Error& error) {
    throw Error(error.kind(), place() + ": " + error.what());
  }
}

void ArchiveParser::read_payload(Bytes& out) {
  content_->expect_frame();
  out.clear();
  try {
    input_.read(frame_.payload_size, out);
  } catch (const Error& error) {
    throw Error(error.kind(), place() + ": " + error.what());
  }
  end_frame();
}

void ArchiveParser::skip_payload() {
  content_->leave_out();
  try {
    input_.skip(frame_.payload_size);
  } catch (const Error& error) {
    throw Error(error.kind(), place() + ": " + error.what());
  }
  end_frame();
}

void ArchiveParser::end_frame() {
  Bytes entry;
  format::put_entry(entry, {input_.position() - region_start_, frame_.raw_size, frame_.method});
  entries_.update(entry);
  entries_size_ += entry.size();
  header_.clear();
  frame_open_ = false;
  ++number_;
}

void ArchiveParser::read_end_record() {
  try {
    StreamHash check;
    check.update(header_);
    header_.clear();
    const std::uint64_t body_size = read_varint([this] { return header_byte(); });
    check.update(header_);
    std::uint64_t end_size = 1 + header_.size() + body_size + 8;
    header_.clear();
    if (entries_complete_) {
      Bytes count;
      put_varint(count, number_);
      if (body_size != count.size() + entries_size_ + model_bytes_.size() + 8) {
        fail("it does not fit the frames");
      }
      read_index(check);
    } else {
      skip_index(body_size, check);
    }
    Bytes stored;
    input_.read(8, stored);
    if (format::load_le<std::uint64_t>(stored.data()) != check.digest()) fail("it is damaged");
    read_trailer(end_size);
  } catch (const Error& error) {
    throw Error(error.kind(), end_place() + ": " + error.what());
  }
  in_archive_ = false;
}

std::string ArchiveParser::end_place() const {
  return "the archive's end record (at byte " + std::to_string(region_start_) + ")";
}

void ArchiveParser::read_index(StreamHash& check) {
  Bytes bytes;
  Bytes count;
  put_varint(count, number_);
  input_.read(count.size(), bytes);
  check.update(bytes);
  bool same = bytes == count;
  StreamHash entries;
  for (std::uint64_t left = entries_size_; left != 0;) {
    bytes.clear();
    input_.read(std::min<std::uint64_t>(left, 4096), bytes);
    entries.update(bytes);
    check.update(bytes);
    left -= bytes.size();
  }
  same = same && entries.digest() == entries_.digest();
  bytes.clear();
  input_.read(model_bytes_.size(), bytes);
  check.update(bytes);
  if (!same || bytes != model_bytes_) fail("it does not fit the frames");
  bytes.clear();
  input_.read(8, bytes);
  check.update(bytes);
  content_->expect(format::load_le<std::uint64_t>(bytes.data()), end_place());
}

void ArchiveParser::skip_index(std::uint64_t size, StreamHash& check) {
  Bytes bytes;
  while (size != 0) {
    bytes.clear();
    input_.read(std::min<std::uint64_t>(size, 4096), bytes);
    check.update(bytes);
    size -= bytes.size();
  }
}

void ArchiveParser::read_trailer(std::uint64_t end_size) {
  Bytes trailer;
  input_.read(format::kTrailerSize, trailer);
  if (format::load_le<std::uint32_t>(trailer.data()) != static_cast<std::uint32_t>(end_size) ||
      !std::equal(format::kEndMagic.begin(), format::kEndMagic.end(), trailer.begin() + 4)) {
    fail("it is damaged");
  }
}

void ArchiveParser::check_indexed() {
  const std::optional<std::uint64_t> size = std::exchange(indexed_size_, std::nullopt);
  if (size && *size != frame_.raw_size) fail("it does not fit the archive's index");
}

std::optional<std::uint64_t> ArchiveParser::go_to_data(std::uint64_t raw) {
  ArchiveIndex index(input_.source());
  std::optional<IndexedFrame> frame;
  if (index.whole()) frame = index.next_with_data_behind(raw);
  input_.seek(frame ? frame->offset : 0);
  if (!frame) return std::nullopt;
  resume_at(frame->number, frame->model);
  indexed_size_ = frame->raw_size;
  return frame->raw_start;
}

bool ArchiveParser::resume_after_damage() {
  if (input_.source().seekable()) load_index();
  if (index_ && !index_->empty() ? resume_by_index() : resume_by_scan()) return true;
  in_archive_ = false;
  return false;
}

// Once: what it finds does not depend on where the damage is.
void ArchiveParser::load_index() {
  if (index_) return;
  index_.emplace(input_.source());
  input_.seek(input_.position());
}

bool ArchiveParser::resume_by_index() {
  const std::optional<IndexedFrame> next = index_->next_behind(region_start_);
  input_.seek(next ? next->offset : input_.source().size());
  if (!next) return false;
  resume_at(next->number, next->model);
  return true;
}

bool ArchiveParser::resume_by_scan() {
  // The header that failed may have taken bytes that are not its own.
  if (!header_.empty() && input_.position() == region_start_ + header_.size()) {
    input_.put_back(ByteView(header_).subspan(1));
  }
  const std::optional<std::uint64_t> number = find_frame(input_, number_);
  if (number) resume_at(*number, std::nullopt);
  return number.has_value();
}

void ArchiveParser::resume_at(std::uint64_t number,
                              const std::optional<format::ModelRecord>& model) {
  region_start_ = input_.position();
  number_ = number;
  header_.clear();
  frame_open_ = false;
  if (!in_archive_) content_ = std::make_shared<ArchiveContent>();
  content_->leave_out();
  in_archive_ = number_ != 0;
  single_ = false;
  entries_complete_ = false;
  if (in_archive_) archives_ = std::max<std::uint64_t>(archives_, 1);
  if (in_archive_ && model) model_ = model;
}

}  // namespace smll::container
