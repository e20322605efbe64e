// What a Reader and a Writer owe when something fails, and at the edges of ranges.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/test_options.h"
#include "api/test_text.h"
#include "container/stream_hash.h"
#include "lm/test_models.h"
#include "smll/smll.h"

namespace smll {
namespace {

Bytes written(const Bytes& data, std::uint64_t frame_size = 0) {
  MemorySink sink;
  Writer writer(no_model(), fast(frame_size), sink);
  writer.write(data);
  writer.finish();
  return sink.take();
}

Bytes read_all(Source& source, const ReadOptions& options = {}) {
  Reader reader(no_model(), options, source);
  Bytes data, part(1000);
  while (const std::size_t got = reader.read(part)) {
    data.insert(data.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
  }
  return data;
}

// The message of the Error that `work` throws; "" when it throws none.
template <class Work>
std::string error_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Reader, RangesPassOverEmptyFrames) {
  Bytes archive = written({});
  const Bytes digits = written({'0', '1', '2', '3'});
  archive.insert(archive.end(), digits.begin(), digits.end());
  for (const std::uint64_t start : {0, 1, 3, 4, 5, 1000}) {
    ReadOptions options;
    options.range = Range{start, 2};
    MemorySource source(archive);
    const Bytes got = read_all(source, options);
    EXPECT_EQ(got.size(), start > 4 ? 0 : std::min<std::uint64_t>(2, 4 - start)) << start;
  }
}

// Counts the bytes that are taken from it.
class CountedSource : public MemorySource {
 public:
  using MemorySource::MemorySource;
  std::size_t read(std::span<std::uint8_t> out) override {
    const std::size_t size = MemorySource::read(out);
    taken += size;
    return size;
  }
  std::uint64_t taken = 0;
};

// Two archives of the same bytes, which do not compress.
struct TwoArchives {
  Bytes raw, archives;
};

TwoArchives two_archives() {
  TwoArchives two;
  std::uint32_t state = 1;
  for (int i = 0; i < 300'000; ++i) {
    state = state * 1664525 + 1013904223;
    two.raw.push_back(static_cast<std::uint8_t>(state >> 24));
  }
  two.archives = written(two.raw, 5000);
  two.archives.insert(two.archives.end(), 20, 0);  // padding
  const Bytes second = written(two.raw, 5000);
  two.archives.insert(two.archives.end(), second.begin(), second.end());
  two.raw.insert(two.raw.end(), two.raw.begin(), two.raw.begin() + 300'000);
  return two;
}

TEST(Reader, ARangeTakesLittleMoreThanItsFramesAndTheIndexes) {
  const TwoArchives two = two_archives();
  for (const std::uint64_t start : {4999, 250'000, 299'999, 300'000, 594'990, 599'999}) {
    ReadOptions options;
    options.range = Range{start, 5000};
    CountedSource source(two.archives);
    const std::size_t end = std::min<std::size_t>(start + 5000, two.raw.size());
    EXPECT_EQ(read_all(source, options), Bytes(two.raw.begin() + static_cast<std::ptrdiff_t>(start),
                                               two.raw.begin() + static_cast<std::ptrdiff_t>(end)));
    EXPECT_LT(source.taken, 30'000u) << start;
  }
}

TEST(Reader, FramesAreListedFromTheIndexes) {
  const TwoArchives two = two_archives();
  CountedSource source(two.archives);
  const std::vector<FrameSpan> spans = frame_spans(source);
  ASSERT_EQ(spans.size(), 120u);
  EXPECT_EQ(spans[61].start, 305'000u);
  EXPECT_EQ(spans[61].size, 5000u);
  EXPECT_LT(source.taken, 3000u);
  // One frame alone has no index.
  Bytes more = two.archives;
  const Bytes single = written({'0', '1', '2', '3'});
  more.insert(more.end(), single.begin(), single.end());
  MemorySource without(more);
  EXPECT_EQ(frame_spans(without).size(), 121u);
  EXPECT_EQ(frame_spans(without).back().start, 600'000u);
}

// Makes the end record's check fit what stands before it.
void renew_end_check(Bytes& archive) {
  constexpr std::size_t kTrailer = 8, kCheck = 8;
  const std::size_t trailer = archive.size() - kTrailer;
  std::uint32_t size;
  std::memcpy(&size, archive.data() + trailer, sizeof size);
  container::StreamHash check;
  check.update(ByteView(archive).subspan(trailer - size, size - kCheck));
  const std::uint64_t digest = check.digest();
  std::memcpy(archive.data() + trailer - kCheck, &digest, kCheck);
}

TEST(Reader, AFrameThatIsNotTheIndexsIsRefused) {
  Bytes archive = written(lines_of(20'000), 5000);
  // The second of four entries: its raw size, 5,000, is 88 27 as a varint.
  const Bytes raw_size = {0x88, 0x27};
  auto entry = archive.end() - 60;
  for (int i = 0; i < 2; ++i) {
    entry = std::search(entry + 1, archive.end(), raw_size.begin(), raw_size.end());
    ASSERT_NE(entry, archive.end());
  }
  *entry ^= 1;
  renew_end_check(archive);
  ReadOptions options;
  options.range = Range{7000, 10};
  MemorySource source(archive);
  EXPECT_NE(error_of([&] { read_all(source, options); }).find("does not fit the archive's index"),
            std::string::npos);
}

TEST(Reader, ALimitMayStopItWhileFramesAreReadAhead) {
  // The second frame passes the limit: it is being decoded when the first, a short one, is done.
  MemorySink sink;
  Writer writer(no_model(), fast(), sink);
  for (const std::size_t size : {20000, 60000, 60000, 60000}) {
    writer.write(lines_of(size));
    writer.flush();
  }
  writer.finish();
  const Bytes archive = sink.take();
  for (int i = 0; i < 5; ++i) {
    ReadOptions options;
    options.max_bytes = 30000;
    MemorySource source(archive);
    EXPECT_NE(error_of([&] { read_all(source, options); }), "");
  }
}

TEST(Reader, AnErrorStays) {
  Bytes archive = written(lines_of(100000), 10000);
  archive[archive.size() / 2] ^= 1;
  MemorySource source(archive);
  Reader reader(no_model(), {}, source);
  Bytes part(1000);
  const std::string first = error_of([&] {
    while (reader.read(part) != 0) {
    }
  });
  EXPECT_NE(first.find("frame"), std::string::npos) << first;
  EXPECT_EQ(error_of([&] { reader.read(part); }), first);
  EXPECT_EQ(error_of([&] { reader.read(part); }), first);
}

TEST(Reader, WhatStoppedItStays) {
  const Bytes archive = written(lines_of(100000), 10000);
  MemorySource source(archive);
  ReadOptions options;
  int calls = 0;
  options.progress = [&](const Stats&) {
    if (++calls == 3) throw Error(ErrorKind::kIo, "stop");
  };
  Reader reader(no_model(), options, source);
  Bytes part(100000);
  const auto read_on = [&] {
    while (reader.read(part) != 0) {
    }
  };
  EXPECT_EQ(error_of(read_on), "stop");
  EXPECT_EQ(error_of(read_on), "stop");
}

// Fails at one write and takes the others.
class FailsOnce : public MemorySink {
 public:
  explicit FailsOnce(int at) : left_(at) {}
  void write(ByteView data) override {
    if (left_-- == 0) throw Error(ErrorKind::kIo, "the disk is full");
    MemorySink::write(data);
  }

 private:
  int left_;
};

TEST(Writer, AnErrorStaysAndTheArchiveRemainsIncomplete) {
  for (const int at : {0, 1, 2, 5}) {
    FailsOnce sink(at);
    Writer writer(no_model(), fast(10000), sink);
    const auto write = [&] {
      for (int i = 0; i < 10; ++i) {
        writer.write(lines_of(10000));
        writer.flush();
      }
    };
    EXPECT_EQ(error_of(write), "the disk is full") << at;
    EXPECT_EQ(error_of(write), "the disk is full") << at;
    EXPECT_EQ(error_of([&] { writer.flush(); }), "the disk is full") << at;
    EXPECT_EQ(error_of([&] { writer.finish(); }), "the disk is full") << at;
    MemorySource source(sink.bytes());
    EXPECT_NE(error_of([&] { read_all(source); }), "") << at;
  }
}

TEST(Writer, NothingFollowsTheEnd) {
  MemorySink sink;
  Writer writer(no_model(), fast(), sink);
  writer.write(lines_of(1000));
  writer.finish();
  EXPECT_NE(error_of([&] { writer.write(lines_of(10)); }), "");
  EXPECT_NE(error_of([&] { writer.flush(); }), "");
  EXPECT_NE(error_of([&] { writer.finish(); }), "");
  MemorySource source(sink.bytes());
  EXPECT_EQ(read_all(source), lines_of(1000));
}

// Archives of several frames with one lane each that need the generated model.
class ReaderWithModel : public testing::Test {
 protected:
  static constexpr std::size_t kFrame = 200;

  void SetUp() override {
    const std::string path = lm::test_model();
    if (!std::filesystem::exists(path)) {
      GTEST_SKIP() << path << " is missing: run `make unit`, which generates it";
    }
    options_.model = path;
    options_.threads = 2;
    options_.window = 64;
    options_.download = false;
    model_ = std::make_unique<Model>(options_);
  }

  void learn() {
    options_.learns = true;
    model_ = std::make_unique<Model>(options_);
  }

  Bytes archive(const Bytes& data, Experts experts = Experts::kLlm) const {
    WriteOptions write;
    write.experts = experts;
    write.lanes = 1;
    MemorySink sink;
    Writer writer(*model_, write, sink);
    for (std::size_t at = 0; at < data.size(); at += kFrame) {
      writer.write(ByteView(data).subspan(at, std::min(kFrame, data.size() - at)));
      writer.flush();
    }
    writer.finish();
    return sink.take();
  }

  Bytes read(Source& source, const ReadOptions& options = {}) const {
    Reader reader(*model_, options, source);
    Bytes data, part(70);
    while (const std::size_t got = reader.read(part)) {
      data.insert(data.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
    return data;
  }

  // Where the frames of an archive begin.
  static std::vector<std::uint64_t> frames_of(const Bytes& archive) {
    MemorySource source(archive);
    std::vector<std::uint64_t> offsets;
    for (const FrameInfo& frame : list(source).frames) offsets.push_back(frame.archive_offset);
    return offsets;
  }

  ModelOptions options_;
  std::unique_ptr<Model> model_;
};

void append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

// Gives one byte at a time. `available` can be had without waiting.
class SlowSource : public Source {
 public:
  explicit SlowSource(Bytes data) : data_(std::move(data)) {}
  std::size_t read(std::span<std::uint8_t> out) override {
    const std::size_t part = std::min({out.size(), std::size_t{1}, data_.size() - position});
    std::memcpy(out.data(), data_.data() + position, part);
    position += part;
    return part;
  }
  bool ready() const override { return position < available; }

  std::size_t position = 0;
  std::size_t available = SIZE_MAX;

 private:
  Bytes data_;
};

TEST_F(ReaderWithModel, FramesComeInOrderWhateverTheyNeed) {
  Bytes both, data;
  for (const std::size_t size : {5 * kFrame + 1, std::size_t{30}, 40 * kFrame, 3 * kFrame}) {
    for (const Experts experts : {Experts::kLlm, Experts::kCmFast}) {
      append(both, archive(lines_of(size), experts));
      append(data, lines_of(size));
    }
  }
  MemorySource source(both);
  EXPECT_EQ(read(source), data);
  for (const std::uint64_t start : {std::uint64_t{0}, kFrame - 1, 3 * kFrame, 17 * kFrame + 5}) {
    ReadOptions options;
    options.range = Range{start, 2 * kFrame + 3};
    MemorySource again(both);
    EXPECT_EQ(read(again, options),
              Bytes(data.begin() + static_cast<std::ptrdiff_t>(start),
                    data.begin() + static_cast<std::ptrdiff_t>(start + 2 * kFrame + 3)));
  }
}

TEST_F(ReaderWithModel, FramesAreReadAheadOverTheEndsOfArchives) {
  const Bytes first = archive(lines_of(2 * kFrame));
  Bytes both = first;
  append(both, archive(lines_of(2 * kFrame)));
  SlowSource source(both);
  Reader reader(*model_, {}, source);
  Bytes part(1);
  ASSERT_EQ(reader.read(part), 1u);
  EXPECT_GT(source.position, first.size() + 20);
}

TEST_F(ReaderWithModel, NothingIsReadAheadThatHasToBeWaitedFor) {
  const Bytes data = archive(lines_of(4 * kFrame));
  SlowSource source(data);
  source.available = frames_of(data)[2];
  Reader reader(*model_, {}, source);
  Bytes part(2 * kFrame);
  for (std::size_t given = 0; given < 2 * kFrame;) given += reader.read(part);
  EXPECT_LE(source.position, source.available);
}

TEST_F(ReaderWithModel, ManyLanesAreNotReadAheadAtOnce) {
  const Bytes data = archive(lines_of(200 * kFrame));
  SlowSource source(data);
  Reader reader(*model_, {}, source);
  Bytes part(1);
  ASSERT_EQ(reader.read(part), 1u);
  EXPECT_LT(source.position, frames_of(data)[40]);
}

TEST_F(ReaderWithModel, DamageIsToldWhereItIs) {
  Bytes both = archive(lines_of(6 * kFrame));
  const std::vector<std::uint64_t> frames = frames_of(both);
  both[frames[2] + 2] ^= 1;                // the header of a frame
  both[(frames[4] + frames[5]) / 2] ^= 1;  // the payload of another
  append(both, archive(lines_of(3 * kFrame)));
  ReadOptions options;
  options.keep_going = true;
  Bytes given;
  std::vector<std::size_t> told;
  options.on_damage = [&](const Error&) { told.push_back(given.size()); };
  std::uint64_t shown = 0;
  options.progress = [&](const Stats& stats) {
    EXPECT_GE(stats.raw_bytes, shown);
    shown = stats.raw_bytes;
  };
  MemorySource source(both);
  Reader reader(*model_, options, source);
  Bytes part(kFrame);
  while (const std::size_t got = reader.read(part))
    append(given, Bytes(part.data(), part.data() + got));
  EXPECT_EQ(told, (std::vector<std::size_t>{2 * kFrame, 3 * kFrame}));
  EXPECT_EQ(reader.stats().damaged_frames, 2u);
  EXPECT_EQ(given.size(), 7 * kFrame);
  // Without it, what comes before the damage is given.
  MemorySource again(both);
  Reader strict(*model_, {}, again);
  EXPECT_EQ(strict.read(part), kFrame);
  EXPECT_EQ(strict.read(part), kFrame);
  const std::string message = error_of([&] { strict.read(part); });
  EXPECT_NE(message.find("frame 2"), std::string::npos) << message;
  EXPECT_EQ(error_of([&] { strict.read(part); }), message);
}

TEST_F(ReaderWithModel, WhatIsDecodedAheadEndsWithItsReader) {
  const Bytes data = archive(lines_of(30 * kFrame));
  for (int i = 0; i < 5; ++i) {
    MemorySource source(data);
    Reader reader(*model_, {}, source);
    Bytes part(1);
    ASSERT_EQ(reader.read(part), 1u);
  }
  int calls = 0;
  ReadOptions options;
  options.progress = [&](const Stats&) {
    if (++calls == 3) throw Error(ErrorKind::kIo, "stop");
  };
  MemorySource stopped(data);
  EXPECT_NE(error_of([&] { read(stopped, options); }).find("stop"), std::string::npos);
  MemorySource source(data);
  EXPECT_EQ(read(source), lines_of(30 * kFrame));
}

TEST_F(ReaderWithModel, FramesThatDoNotFitTogetherWait) {
  const Bytes data = archive(lines_of(8 * kFrame), Experts::kLlm);
  ReadOptions options;
  options.max_memory = 1;
  MemorySource refused(data);
  const std::string message = error_of([&] { read(refused, options); });
  ASSERT_NE(message.find("-M "), std::string::npos) << message;
  options.max_memory = std::stoull(message.substr(message.find("-M ") + 3)) << 20;
  MemorySource source(data);
  EXPECT_EQ(read(source, options), lines_of(8 * kFrame));
}

TEST_F(ReaderWithModel, FramesOfAModelThatLearnsComeTogether) {
  learn();
  const Bytes data = archive(lines_of(3 * kFrame));
  MemorySource source(data);
  EXPECT_EQ(read(source), lines_of(3 * kFrame));
}

// Changes the checksum of the whole content, in an end record that is valid.
Bytes with_another_checksum(Bytes archive) {
  constexpr std::size_t kTrailer = 8, kCheck = 8;
  archive[archive.size() - kTrailer - kCheck - 1] ^= 1;
  renew_end_check(archive);
  return archive;
}

TEST_F(ReaderWithModel, TheWholeOfEachArchiveIsChecked) {
  for (const Experts experts : {Experts::kLlm, Experts::kCmFast}) {
    const Bytes good = archive(lines_of(2 * kFrame), experts);
    Bytes three = good;
    append(three, with_another_checksum(good));
    append(three, good);
    Bytes given, part(kFrame);
    MemorySource source(three);
    Reader strict(*model_, {}, source);
    const std::string message = error_of([&] {
      while (const std::size_t got = strict.read(part)) {
        append(given, Bytes(part.data(), part.data() + got));
      }
    });
    EXPECT_NE(message.find("the whole content"), std::string::npos) << message;
    EXPECT_EQ(given.size(), 4 * kFrame);
    ReadOptions options;
    options.keep_going = true;
    MemorySource again(three);
    Reader reader(*model_, options, again);
    std::size_t size = 0;
    while (const std::size_t got = reader.read(part)) size += got;
    EXPECT_EQ(size, 6 * kFrame);
    EXPECT_EQ(reader.stats().damaged_frames, 1u);
  }
}

}  // namespace
}  // namespace smll
