// The public API without a language model.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "api/test_options.h"
#include "api/test_text.h"
#include "smll/smll.h"

namespace smll {
namespace {

Bytes written(const Bytes& data, const WriteOptions& options) {
  MemorySink sink;
  Writer writer(no_model(), options, sink);
  writer.write(data);
  writer.finish();
  EXPECT_EQ(writer.stats().raw_bytes, data.size());
  EXPECT_EQ(writer.stats().archive_bytes, sink.bytes().size());
  return sink.take();
}

Bytes read_back(const Bytes& archive, ReadOptions options, Stats* stats = nullptr) {
  MemorySource source(archive);
  Reader reader(no_model(), std::move(options), source);
  Bytes data, part(1000);
  while (const std::size_t got = reader.read(part)) {
    data.insert(data.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
  }
  if (stats) *stats = reader.stats();
  return data;
}

TEST(Api, FilesComeBack) {
  for (const std::size_t size : {0, 1, 100, 65536, 200000}) {
    const Bytes data = lines_of(size);
    EXPECT_EQ(read_back(written(data, fast()), {}), data) << size;
    EXPECT_EQ(read_back(written(data, fast(10000)), {}), data) << size;
  }
}

TEST(Api, SmallTextsTakeTwoBytesMoreThanTheirCode) {
  const Compressor compressor(no_model(), fast());
  for (const std::string& data :
       {std::string(), std::string("a"), std::string("hello hello hello hello"),
        std::string("\xff\x00\x80", 3)}) {
    const Bytes packed = compressor.compress(data);
    EXPECT_LE(packed.size(), data.size() + 2);
    const Bytes raw = compressor.decompress(packed);
    EXPECT_EQ(std::string(raw.begin(), raw.end()), data);
  }
}

TEST(Api, LargeDataBecomesAFile) {
  const Compressor compressor(no_model(), fast());
  const Bytes data = lines_of(kCompactLimit + 1);
  const Bytes packed = compressor.compress(data);
  EXPECT_EQ(packed[0], kFileMagic[0]);
  EXPECT_EQ(compressor.decompress(packed), data);
  EXPECT_THROW(compressor.decompress(packed, Limits{.max_bytes = 1000}), Error);
}

TEST(Api, RangesDecodeOnlyTheirFrames) {
  const Bytes data = lines_of(100000);
  const Bytes archive = written(data, fast(5000));
  for (const auto& [start, length] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 1}, {4999, 2}, {50100, 700}, {99999, 50}, {0, UINT64_MAX}, {7, 0}, {200000, 5}}) {
    ReadOptions options;
    options.range = Range{start, length};
    Stats stats;
    const Bytes part = read_back(archive, options, &stats);
    const std::uint64_t first = std::min<std::uint64_t>(start, data.size());
    const std::uint64_t last = first + std::min<std::uint64_t>(length, data.size() - first);
    EXPECT_EQ(part, Bytes(data.begin() + static_cast<std::ptrdiff_t>(first),
                          data.begin() + static_cast<std::ptrdiff_t>(last)))
        << start << ":" << length;
    EXPECT_LE(stats.frames, length <= 700 ? 2u : 20u);
  }
}

TEST(Api, KeepGoingLosesOnlyTheDamagedFrame) {
  const Bytes data = lines_of(100000);
  const Bytes archive = written(data, fast(10000));
  MemorySource source(archive);
  const ArchiveInfo info = list(source);
  ASSERT_EQ(info.frames.size(), 10u);
  // Once in the payload, once in the header, where only the index helps.
  for (const std::uint64_t offset : {std::uint64_t{60}, std::uint64_t{1}}) {
    Bytes damaged = archive;
    damaged[info.frames[4].archive_offset + offset] ^= 0x10;
    EXPECT_THROW(read_back(damaged, {}), Error);
    int reports = 0;
    ReadOptions options;
    options.keep_going = true;
    options.on_damage = [&](const Error& error) {
      ++reports;
      EXPECT_NE(std::string(error.what()).find("frame 4"), std::string::npos) << error.what();
    };
    const Bytes salvaged = read_back(damaged, options);
    EXPECT_EQ(reports, 1);
    Bytes expected = data;
    expected.erase(expected.begin() + 40000, expected.begin() + 50000);
    EXPECT_EQ(salvaged, expected);
  }
}

// A pipe: it can only be read forward.
class Pipe : public MemorySource {
 public:
  using MemorySource::MemorySource;
  bool seekable() const override { return false; }
};

TEST(Api, KeepGoingFindsFramesInAPipeBehindDamagedHeaders) {
  const Bytes data = lines_of(100000);
  const Bytes archive = written(data, fast(10000));
  MemorySource listed(archive);
  const ArchiveInfo info = list(listed);
  const auto at = [&](std::size_t frame) {
    return static_cast<std::ptrdiff_t>(info.frames[frame].archive_offset);
  };
  const auto salvage = [](const Bytes& damaged) {
    Pipe source(damaged);
    ReadOptions options;
    options.keep_going = true;
    Reader reader(no_model(), options, source);
    Bytes all, part(1000);
    while (const std::size_t got = reader.read(part)) {
      all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
    EXPECT_GE(reader.stats().damaged_frames, 1u);
    return all;
  };
  const auto without = [&](std::size_t first, std::size_t last) {
    Bytes expected = data;
    expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(first * 10000),
                   expected.begin() + static_cast<std::ptrdiff_t>(last * 10000));
    return expected;
  };
  for (const std::size_t frame : {0, 4, 9}) {
    Bytes damaged = archive;
    damaged[info.frames[frame].archive_offset + (frame == 0 ? 5 : 1)] ^= 0x10;
    EXPECT_EQ(salvage(damaged), without(frame, frame + 1)) << frame;
  }
  Bytes hole = archive;
  hole.erase(hole.begin() + at(2) + 3, hole.begin() + at(6) + 10);
  EXPECT_EQ(salvage(hole), without(2, 7));
  Bytes more = archive;
  more.insert(more.begin() + at(3), 100, 0x05);
  EXPECT_EQ(salvage(more), data);
  // The end is lost, and with it the index: the same without a pipe.
  Bytes cut(archive.begin(), archive.begin() + at(8));
  cut[info.frames[4].archive_offset + 1] ^= 0x10;
  ReadOptions options;
  options.keep_going = true;
  Bytes expected = without(4, 5);
  expected.resize(70000);
  EXPECT_EQ(read_back(cut, options), expected);
  EXPECT_EQ(salvage(cut), expected);
}

TEST(Api, ThreadsChangeNothing) {
  // Frames large enough to get threads of their own, and one that is damaged among them.
  const Bytes data = lines_of(400000);
  const auto with_threads = [](int threads) {
    ModelOptions options;
    options.download = false;
    options.threads = threads;
    return Model(options);
  };
  Bytes archives[2];
  for (const int threads : {1, 5}) {
    MemorySink sink;
    Writer writer(with_threads(threads), fast(30000), sink);
    writer.write(data);
    writer.finish();
    archives[threads == 5] = sink.take();
  }
  EXPECT_EQ(archives[0], archives[1]);
  EXPECT_EQ(read_back(archives[1], {}), data);

  archives[0][archives[0].size() / 2] ^= 1;
  Bytes salvaged[2];
  for (const int threads : {1, 5}) {
    MemorySource source(archives[0]);
    ReadOptions options;
    options.keep_going = true;
    Reader reader(with_threads(threads), options, source);
    Bytes part(1000);
    Bytes& all = salvaged[threads == 5];
    while (const std::size_t got = reader.read(part)) {
      all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
    EXPECT_EQ(reader.stats().damaged_frames, 1u);
  }
  EXPECT_EQ(salvaged[0].size(), data.size() - 30000);
  EXPECT_EQ(salvaged[0], salvaged[1]);
}

// A pipe whose other end writes nothing more for now.
class Waiting : public MemorySource {
 public:
  using MemorySource::MemorySource;
  bool seekable() const override { return false; }
  bool ready() const override { return false; }
  std::size_t read(std::span<std::uint8_t> out) override {
    const std::size_t got = MemorySource::read(out);
    if (got == 0) ADD_FAILURE() << "waits for more while data is there to give";
    return got;
  }
};

TEST(Api, GivesWhatCameBeforeItWaits) {
  MemorySink sink;
  Writer writer(no_model(), fast(), sink);
  writer.write(lines_of(100000));
  writer.flush();
  Waiting source(sink.bytes());
  Reader reader(no_model(), {}, source);
  Bytes part(100000);
  EXPECT_EQ(reader.read(part), part.size());
}

TEST(Api, CancelsWhatRunsInThreads) {
  ModelOptions options;
  options.download = false;
  options.threads = 4;
  WriteOptions write = fast(100000);
  write.progress = [](const Stats&) { throw Error(ErrorKind::kIo, "stop"); };
  MemorySink sink;
  Writer writer(Model(options), write, sink);
  EXPECT_THROW(
      {
        writer.write(lines_of(2000000));
        writer.finish();
      },
      Error);
}

TEST(Api, FlushMakesDataReadable) {
  MemorySink sink;
  Writer writer(no_model(), fast(), sink);
  writer.write(lines_of(10));
  writer.flush();
  const Bytes so_far = sink.bytes();
  MemorySource source(so_far);
  Reader reader(no_model(), {}, source);
  Bytes part(100);
  EXPECT_EQ(reader.read(part), 10u);
  EXPECT_THROW(reader.read(part), Error);
}

TEST(Api, DamagedSmallDataIsRefused) {
  const Compressor compressor(no_model(), fast());
  for (const Bytes& data :
       {Bytes{}, Bytes{0x80}, Bytes{'h', 'e', 'l', 'l', 'o'}, Bytes{0xe0, 1, 2}}) {
    EXPECT_THROW(compressor.decompress(data), Error);
  }
}

TEST(Api, LevelsAreKnown) {
  WriteOptions write;
  ModelOptions model;
  apply_level(1, write, model);
  EXPECT_EQ(write.experts, Experts::kCmFast);
  EXPECT_FALSE(model.learns);
  apply_level(9, write, model);
  EXPECT_EQ(write.lanes, 1);
  EXPECT_TRUE(model.learns);
  EXPECT_THROW(apply_level(0, write, model), Error);
  EXPECT_THROW(apply_level(10, write, model), Error);
}

}  // namespace
}  // namespace smll
