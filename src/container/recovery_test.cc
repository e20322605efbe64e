// Going on behind damage: what crafted input may cost, counted in what is read from the source.
#include <gtest/gtest.h>

#include "container/archive_parser.h"
#include "container/archive_writer.h"
#include "container/buffered_input.h"
#include "smll/error.h"

namespace smll::container {
namespace {

class CountingSource : public MemorySource {
 public:
  CountingSource(ByteView data, bool seekable) : MemorySource(data), seekable_(seekable) {}
  bool seekable() const override { return seekable_; }
  std::size_t read(std::span<std::uint8_t> out) override {
    ++calls;
    const std::size_t got = MemorySource::read(out);
    bytes += got;
    return got;
  }
  std::size_t calls = 0, bytes = 0;

 private:
  bool seekable_;
};

format::ModelRecord long_model() {
  format::ModelRecord record;
  record.fingerprint = 1;
  record.name = std::string(format::kMaxName, 'n');
  record.set_up = std::string(format::kMaxSetUp, 's');
  return record;
}

// An archive of `frames` small frames whose headers are all damaged but the first.
Bytes damaged_archive(int frames) {
  MemorySink sink;
  ArchiveWriter writer(sink);
  const Bytes raw(10, 7);
  const format::ModelRecord model = long_model();
  writer.add({format::Method::kLlm, raw.size(), raw}, raw, &model);
  for (int i = 1; i < frames; ++i) {
    writer.add({format::Method::kStored, raw.size(), raw}, raw, nullptr);
  }
  writer.finish();
  Bytes archive = sink.take();
  MemorySource source(archive);
  ArchiveParser parser(source);
  std::vector<std::uint64_t> headers;
  while (parser.next_frame()) {
    headers.push_back(parser.frame_offset());
    parser.skip_payload();
  }
  for (std::size_t i = 1; i < headers.size(); ++i) archive[headers[i] + 7] ^= 1;
  return archive;
}

// How often next_frame() failed until the end.
int damages(Source& source) {
  ArchiveParser parser(source);
  int count = 0;
  while (true) {
    try {
      if (!parser.next_frame()) return count;
      parser.skip_payload();
    } catch (const Error&) {
      ++count;
      if (!parser.resume_after_damage()) return count;
    }
  }
}

TEST(Recovery, ReadsTheIndexTwiceHoweverOftenItIsAsked) {
  const Bytes archive = damaged_archive(20000);
  CountingSource source(archive, true);
  EXPECT_EQ(damages(source), 19999);
  EXPECT_LT(source.bytes, 4 * archive.size());
}

TEST(Recovery, ReadsAPipeOnce) {
  const Bytes archive = damaged_archive(2000);
  CountingSource source(archive, false);
  EXPECT_GT(damages(source), 0);
  EXPECT_EQ(source.bytes, archive.size());
}

TEST(Recovery, ReadsWhatHasNoIndexOnce) {
  Bytes archive = damaged_archive(2000);
  archive.pop_back();
  CountingSource source(archive, true);
  EXPECT_GT(damages(source), 0);
  EXPECT_LT(source.bytes, 3 * archive.size());
}

TEST(Recovery, FramesOfManyArchivesAreFound) {
  Bytes joined;
  const Bytes one = damaged_archive(3);
  for (int i = 0; i < 1000; ++i) {
    joined.insert(joined.end(), one.begin(), one.end());
    joined.resize(joined.size() + static_cast<std::size_t>(i % 3));  // padding
  }
  CountingSource source(joined, true);
  EXPECT_EQ(damages(source), 2000);
  EXPECT_LT(source.bytes, 4 * joined.size());
}

TEST(BufferedInput, WindowsOnEveryPlaceMoveLittle) {
  const Bytes data(std::size_t{3} << 20, 1);
  CountingSource source(data, false);
  BufferedInput input(source);
  const std::size_t size = std::size_t{1} << 20;
  for (std::size_t i = 0; i < 2 * size; ++i) {
    ASSERT_GE(input.window(size).size(), size);
    input.skip(1);
  }
  EXPECT_LT(source.calls, 100u);
}

TEST(BufferedInput, PutsBackWhatCameBeforeTheBufferWasFilledAgain) {
  Bytes data(std::size_t{200} << 10);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 7 >> 3);
  for (const std::size_t at : {10u, 65536u, 65540u, 131072u}) {
    for (const std::size_t back : {1u, 8u, 1000u}) {
      MemorySource source(data);
      BufferedInput input(source);
      Bytes start;
      input.read(at, start);
      const std::size_t size = std::min(back, at);
      input.put_back(ByteView(start).last(size));
      EXPECT_EQ(input.position(), at - size);
      Bytes rest;
      input.read(data.size() - at + size, rest);
      EXPECT_TRUE(std::equal(rest.begin(), rest.end(),
                             data.end() - static_cast<std::ptrdiff_t>(rest.size())));
    }
  }
}

TEST(BufferedInput, SeeksInsideAndOutsideOfWhatItHolds) {
  Bytes data(std::size_t{200} << 10);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 7 >> 3);
  MemorySource source(data);
  BufferedInput input(source);
  for (const std::size_t at : {100u, 5u, 65535u, 65536u, 65537u, 3u, 199000u, 0u, 70000u}) {
    source.seek(at / 2);  // somebody else's
    input.seek(at);
    EXPECT_EQ(input.next_byte(), data[at]);
    EXPECT_EQ(input.next_byte(), data[at + 1]);
  }
}

}  // namespace
}  // namespace smll::container
