// Archives as bytes: what the writer lays out, the parser reads back, and nothing damaged passes.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "container/archive_index.h"
#include "container/archive_parser.h"
#include "container/archive_writer.h"
#include "format/byte_io.h"

namespace smll::container {
namespace {

Bytes some_bytes(std::size_t size, int seed) {
  Bytes bytes(size);
  std::uint32_t state = static_cast<std::uint32_t>(seed) * 2654435761u + 1;
  for (std::uint8_t& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

format::Frame stored(const Bytes& raw, format::Method method = format::Method::kStored) {
  return {method, raw.size(), raw};
}

format::ModelRecord known_model() {
  format::ModelRecord record;
  record.arithmetic = 1;
  record.fingerprint = 0x0123456789abcdefULL;
  record.number = 1;
  return record;
}

Bytes archive_of(const std::vector<Bytes>& frames) {
  MemorySink sink;
  ArchiveWriter writer(sink);
  for (const Bytes& raw : frames) writer.add(stored(raw), raw, nullptr);
  writer.finish();
  return sink.take();
}

// What the index tells of all frames but the first.
std::vector<IndexedFrame> indexed_frames(const Bytes& archive) {
  MemorySource source(archive);
  ArchiveIndex index(source);
  std::vector<IndexedFrame> frames;
  while (const auto frame = index.next_behind(frames.empty() ? 0 : frames.back().offset)) {
    frames.push_back(*frame);
  }
  return frames;
}

// Content of all frames, with every check made. Stored frames only.
Bytes content_of(const Bytes& archive) {
  MemorySource source(archive);
  ArchiveParser parser(source);
  Bytes content, payload;
  while (parser.next_frame()) {
    parser.read_payload(payload);
    parser.content()->check_frame(parser.frame(), parser.frame_number() - 1, payload, payload);
    content.insert(content.end(), payload.begin(), payload.end());
  }
  return content;
}

TEST(Archive, EmptyContentTakesTwelveBytes) {
  const Bytes archive = archive_of({});
  EXPECT_EQ(archive.size(), 12u);
  EXPECT_TRUE(content_of(archive).empty());
}

TEST(Archive, OneSmallFrameWithAKnownModelAddsTwentyFourBytesAtMost) {
  const Bytes raw = some_bytes(5000, 1);
  MemorySink sink;
  ArchiveWriter writer(sink);
  const format::ModelRecord model = known_model();
  writer.add(stored(raw, format::Method::kMixed), raw, &model);
  writer.finish();
  EXPECT_LE(sink.bytes().size(), raw.size() + 24);

  MemorySource source(sink.bytes());
  ArchiveParser parser(source);
  ASSERT_TRUE(parser.next_frame());
  ASSERT_TRUE(parser.model().has_value());
  EXPECT_EQ(parser.model()->fingerprint, model.fingerprint);
  EXPECT_EQ(parser.model()->number, 1);
  EXPECT_EQ(parser.model()->window, format::kImpliedWindow);
  parser.skip_payload();
  EXPECT_FALSE(parser.next_frame());
}

TEST(Archive, ARetiredMethodIsRefusedByName) {
  const Bytes raw = some_bytes(50, 1);
  MemorySink sink;
  ArchiveWriter writer(sink);
  const format::ModelRecord model = known_model();
  writer.add(stored(raw, static_cast<format::Method>(format::kRetiredMethod)), raw, &model);
  writer.finish();
  MemorySource source(sink.bytes());
  ArchiveParser parser(source);
  try {
    parser.next_frame();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("retired"), std::string::npos) << error.what();
  }
}

TEST(Archive, ManyFramesComeBackInOrder) {
  const std::vector<Bytes> frames = {
      some_bytes(10, 1), some_bytes(300, 2), {}, some_bytes(70000, 3)};
  Bytes expected;
  for (const Bytes& frame : frames) expected.insert(expected.end(), frame.begin(), frame.end());
  EXPECT_EQ(content_of(archive_of(frames)), expected);
}

TEST(Archive, ConcatenatedArchivesAreOne) {
  Bytes both = archive_of({some_bytes(9, 1)});
  const Bytes second = archive_of({some_bytes(8, 2), some_bytes(7, 3)});
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_EQ(content_of(both).size(), 24u);
}

TEST(Archive, EveryCutIsNoticed) {
  for (const auto& frames : std::vector<std::vector<Bytes>>{
           {some_bytes(40, 1)}, {some_bytes(40, 1), some_bytes(30, 2)}}) {
    const Bytes whole = archive_of(frames);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(content_of(cut), Error) << size << " of " << whole.size();
    }
  }
}

TEST(Archive, EveryFlippedBitIsNoticed) {
  const Bytes whole = archive_of({some_bytes(40, 1), some_bytes(30, 2)});
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes damaged = whole;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_THROW(content_of(damaged), Error) << "byte " << bit / 8 << " bit " << bit % 8;
  }
}

TEST(Archive, SwappedFramesAreNoticed) {
  const Bytes archive = archive_of({some_bytes(5, 1), some_bytes(50, 2), some_bytes(50, 3)});
  const std::vector<IndexedFrame> index = indexed_frames(archive);
  ASSERT_EQ(index.size(), 2u);
  const std::size_t second = index[0].offset, third = index[1].offset, size = third - second;
  Bytes swapped = archive;
  std::swap_ranges(swapped.begin() + static_cast<std::ptrdiff_t>(second),
                   swapped.begin() + static_cast<std::ptrdiff_t>(third),
                   swapped.begin() + static_cast<std::ptrdiff_t>(third));
  ASSERT_LE(third + size, archive.size());
  EXPECT_THROW(content_of(swapped), Error);
}

TEST(Archive, BytesBehindTheEndAreRefused) {
  for (const std::vector<Bytes>& frames :
       {std::vector<Bytes>{some_bytes(4, 1)}, {some_bytes(4, 1), some_bytes(4, 2)}}) {
    Bytes archive = archive_of(frames);
    archive.push_back('x');
    EXPECT_THROW(content_of(archive), Error);
  }
}

TEST(Archive, ANewerVersionIsRefusedByName) {
  Bytes archive = archive_of({some_bytes(4, 1)});
  archive[3] = format::kFormatVersion + 1;
  try {
    content_of(archive);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("newer smll"), std::string::npos);
  }
}

TEST(Archive, AHugeLengthCostsNoMemory) {
  Bytes archive;
  format::put_file_header(archive, true);
  format::put_frame_header(archive,
                           {format::Method::kStored, format::kMaxFrame, format::kMaxFrame, 0});
  archive.push_back(format::header_check(archive, 0));
  archive.resize(archive.size() + 100);
  MemorySource source(archive);
  ArchiveParser parser(source);
  ASSERT_TRUE(parser.next_frame());
  Bytes payload;
  EXPECT_THROW(parser.read_payload(payload), Error);
  EXPECT_LT(payload.capacity(), std::size_t{1} << 20);
}

TEST(Archive, FlushMakesTheFirstFrameReadable) {
  MemorySink sink;
  ArchiveWriter writer(sink);
  const Bytes raw = some_bytes(20, 1);
  writer.add(stored(raw), raw, nullptr);
  EXPECT_TRUE(sink.bytes().empty());
  writer.flush();
  MemorySource source(sink.bytes());
  ArchiveParser parser(source);
  ASSERT_TRUE(parser.next_frame());
  Bytes payload;
  parser.read_payload(payload);
  EXPECT_EQ(payload, raw);
}

TEST(Archive, RecoversBehindADamagedHeader) {
  Bytes archive = archive_of({some_bytes(50, 1), some_bytes(60, 2), some_bytes(70, 3)});
  archive[indexed_frames(archive)[0].offset + 1] ^= 0x55;
  MemorySource source(archive);
  ArchiveParser parser(source);
  ASSERT_TRUE(parser.next_frame());
  parser.skip_payload();
  EXPECT_THROW(parser.next_frame(), Error);
  ASSERT_TRUE(parser.resume_after_damage());
  ASSERT_TRUE(parser.next_frame());
  Bytes payload;
  parser.read_payload(payload);
  parser.content()->check_frame(parser.frame(), parser.frame_number() - 1, payload, payload);
  EXPECT_EQ(payload, some_bytes(70, 3));
  EXPECT_FALSE(parser.next_frame());
}

TEST(Archive, TheIndexReachesBackOverConcatenatedArchives) {
  Bytes both = archive_of({some_bytes(9, 1), some_bytes(9, 2)});
  const std::size_t first_size = both.size();
  const Bytes second = archive_of({some_bytes(8, 2), some_bytes(7, 3)});
  both.insert(both.end(), second.begin(), second.end());
  const std::vector<IndexedFrame> index = indexed_frames(both);
  ASSERT_EQ(index.size(), 3u);
  EXPECT_EQ(index[0].number, 1u);
  EXPECT_EQ(index[1].offset, first_size);
  EXPECT_EQ(index[2].number, 1u);
}

TEST(Format, LargeFramesAreOfFewMethods) {
  const std::size_t large = format::kMaxModelFrame + 1;
  for (const format::Method method :
       {format::Method::kStored, format::Method::kZstd, format::Method::kCmFast,
        format::Method::kCm, format::Method::kLlm, format::Method::kCmEnglish,
        format::Method::kMixed}) {
    Bytes bytes;
    format::put_frame_header(bytes, {method, large, 1, 0});
    std::size_t next = 1;
    const auto read = [&] {
      return format::read_frame_header(bytes[0], [&] { return bytes.at(next++); });
    };
    if (method <= format::Method::kCmFast) {
      EXPECT_EQ(read().raw_size, large);
    } else {
      EXPECT_THROW(read(), Error) << format::method_name(method);
    }
  }
}

TEST(Format, ModelRecordsComeBack) {
  format::ModelRecord record = known_model();
  record.number = 0;
  record.name = "A model";
  record.set_up = "b1234 2 threads";
  record.backend = Backend::kLlama;
  record.window = 8192;
  Bytes bytes;
  format::put_model_record(bytes, record);
  std::size_t next = 1;
  const format::ModelRecord read =
      format::read_model_record(bytes[0], [&] { return bytes.at(next++); });
  EXPECT_EQ(next, bytes.size());
  EXPECT_EQ(read.name, record.name);
  EXPECT_EQ(read.set_up, record.set_up);
  EXPECT_EQ(read.backend, record.backend);
  EXPECT_EQ(read.window, record.window);
  EXPECT_EQ(read.fingerprint, record.fingerprint);
}

TEST(Format, VarintsHaveOneSpelling) {
  const auto read = [](const Bytes& bytes) {
    ByteView in = bytes;
    const std::uint64_t value = take_varint(in);
    EXPECT_TRUE(in.empty());
    return value;
  };
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{300}, UINT64_MAX}) {
    Bytes bytes;
    put_varint(bytes, value);
    EXPECT_EQ(read(bytes), value);
  }
  EXPECT_THROW(read({0x80, 0x00}), Error);
  EXPECT_THROW(read({0x81, 0x80, 0x00}), Error);
  EXPECT_THROW(read({0x80}), Error);
  EXPECT_THROW(read({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}), Error);
}

}  // namespace
}  // namespace smll::container
