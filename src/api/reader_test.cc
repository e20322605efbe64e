// What a Reader and a Writer owe when something fails, and at the edges of ranges.
#include <gtest/gtest.h>

#include <string>

#include "smll/smll.h"

namespace smll {
namespace {

Model no_model(int threads = 4) {
  ModelOptions options;
  options.download = false;
  options.threads = threads;
  return Model(options);
}

Bytes text(std::size_t size) {
  Bytes data;
  for (int line = 0; data.size() < size; ++line) {
    const std::string words = "line " + std::to_string(line * 7919 % 1000) + " of a text\n";
    data.insert(data.end(), words.begin(), words.end());
  }
  data.resize(size);
  return data;
}

WriteOptions fast(std::uint64_t frame_size = 0) {
  WriteOptions options;
  options.experts = Experts::kCmFast;
  options.frame_size = frame_size;
  return options;
}

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

TEST(Reader, ALimitMayStopItWhileFramesAreReadAhead) {
  // The second frame passes the limit: it is being decoded when the first, a short one, is done.
  MemorySink sink;
  Writer writer(no_model(), fast(), sink);
  for (const std::size_t size : {20000, 60000, 60000, 60000}) {
    writer.write(text(size));
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
  Bytes archive = written(text(100000), 10000);
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
  const Bytes archive = written(text(100000), 10000);
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
        writer.write(text(10000));
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
  writer.write(text(1000));
  writer.finish();
  EXPECT_NE(error_of([&] { writer.write(text(10)); }), "");
  EXPECT_NE(error_of([&] { writer.flush(); }), "");
  EXPECT_NE(error_of([&] { writer.finish(); }), "");
  MemorySource source(sink.bytes());
  EXPECT_EQ(read_all(source), text(1000));
}

}  // namespace
}  // namespace smll
