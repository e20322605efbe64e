// Data that asks for more than it may have is refused before it gets it.
#include <gtest/gtest.h>

#include <string>

#include "api/test_options.h"
#include "api/test_text.h"
#include "container/archive_writer.h"
#include "smll/smll.h"

namespace smll {
namespace {

Bytes compressed(std::size_t size, Experts experts = Experts::kCm) {
  WriteOptions options;
  options.experts = experts;
  return Compressor(no_model(), options).compress(lines_of(size));
}

// Kind and message of the Error that decompressing throws; "" when it throws none.
std::string error_of(const Bytes& archive, const Limits& limits) {
  try {
    Compressor(no_model()).decompress(archive, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kMemory) << error.what();
    return error.what();
  }
  return "";
}

constexpr std::size_t kFile = 70000, kCompact = 5000;

TEST(Limits, MemoryIsAskedForBeforeItIsTaken) {
  for (const std::size_t size : {kFile, kCompact}) {
    const Bytes archive = compressed(size);
    const std::string message = error_of(archive, {.max_memory = std::uint64_t{10} << 20});
    EXPECT_NE(message.find("-M "), std::string::npos) << message;
    // What the message says to allow is enough.
    const std::uint64_t enough = std::stoull(message.substr(message.find("-M ") + 3));
    EXPECT_EQ(error_of(archive, {.max_memory = enough << 20}), "");
    EXPECT_NE(error_of(archive, {.max_memory = (enough - 1) << 20}), "");
    EXPECT_EQ(error_of(archive, {.max_memory = 0}), "");
    EXPECT_EQ(error_of(archive, {}), "");
  }
}

TEST(Limits, TimeIsLimited) {
  for (const Experts experts : {Experts::kCm, Experts::kCmFast}) {
    for (const std::size_t size : {kFile, kCompact}) {
      const Bytes archive = compressed(size, experts);
      const std::string message = error_of(archive, {.max_seconds = 1e-9});
      EXPECT_NE(message.find("--max-time"), std::string::npos) << message;
      EXPECT_EQ(error_of(archive, {.max_seconds = 86400}), "");
    }
  }
}

TEST(Limits, SalvagingDoesNotPassThem) {
  Bytes archive = compressed(kFile);
  archive[archive.size() / 2] ^= 1;
  for (const Limits& limits :
       {Limits{.max_bytes = 10}, Limits{.max_memory = 1 << 20}, Limits{.max_seconds = 1e-9}}) {
    ReadOptions options;
    static_cast<Limits&>(options) = limits;
    options.keep_going = true;
    MemorySource source(archive);
    Reader reader(no_model(), options, source);
    Bytes part(100000);
    EXPECT_THROW(reader.read(part), Error);
    EXPECT_THROW(reader.read(part), Error);
  }
}

TEST(Limits, FramesThatDoNotFitTogetherWait) {
  const Bytes data = lines_of(400000);
  WriteOptions write;
  write.experts = Experts::kCmFast;
  write.frame_size = 50000;
  MemorySink sink;
  Writer writer(no_model(), write, sink);
  writer.write(data);
  writer.finish();
  ReadOptions options;
  options.max_memory = std::uint64_t{21} << 20;  // a frame takes 20
  MemorySource source(sink.bytes());
  Reader reader(no_model(), options, source);
  Bytes all, part(100000);
  while (const std::size_t got = reader.read(part)) {
    all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
  }
  EXPECT_EQ(all, data);
}

TEST(Limits, AWindowThatNoEngineHasIsDamage) {
  for (const std::uint32_t window : {1u, 65537u, format::kMaxWindow}) {
    format::ModelRecord model;
    model.arithmetic = 1;
    model.window = window;
    const Bytes raw(10, 'a');
    MemorySink sink;
    container::ArchiveWriter writer(sink);
    writer.add({format::Method::kLlm, raw.size(), raw}, raw, &model);
    writer.finish();
    MemorySource source(sink.bytes());
    Reader reader(no_model(), {}, source);
    Bytes part(100);
    try {
      reader.read(part);
      ADD_FAILURE() << window;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData) << error.what();
    }
  }
}

}  // namespace
}  // namespace smll
