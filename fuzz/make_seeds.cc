// Writes the inputs that the fuzz targets start from: make_seeds MODEL.gguf DIRECTORY. They are
// made and not kept, so that they are always of the present format.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "api/internals.h"
#include "codec/dictionary.h"
#include "codec/frame_codec.h"
#include "codec/model_coder.h"
#include "codec/record_stream.h"
#include "codec/scheduler.h"
#include "container/archive_writer.h"
#include "format/compact.h"
#include "lm/weights/adapter.h"
#include "smll/smll.h"

namespace {

using namespace smll;
namespace fs = std::filesystem;

void save(const fs::path& directory, const std::string& name, const Bytes& bytes) {
  fs::create_directories(directory);
  std::ofstream file(directory / name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw Error(ErrorKind::kIo, "cannot write " + (directory / name).string());
}

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

Bytes archive_of(const Model& model, const Bytes& data, Experts experts, std::uint64_t frame) {
  WriteOptions options;
  options.experts = experts;
  options.frame_size = frame;
  MemorySink sink;
  Writer writer(model, options, sink);
  writer.write(data);
  writer.finish();
  return sink.take();
}

// For the targets that read archives: reader_fuzz takes four bytes of options in front, list_fuzz
// one.
void save_archive(const fs::path& directory, const std::string& name, const Bytes& archive) {
  for (const std::uint8_t options : {0x00, 0x01, 0x06, 0x21, 0x31}) {
    Bytes seed = {options, 3, 40, 0};
    seed.insert(seed.end(), archive.begin(), archive.end());
    save(directory / "reader", name + "-" + std::to_string(options), seed);
  }
  for (const std::uint8_t pipe : {0, 1}) {
    Bytes seed = {pipe};
    seed.insert(seed.end(), archive.begin(), archive.end());
    save(directory / "list", name + (pipe != 0 ? "-pipe" : ""), seed);
  }
}

void make_index_seeds(const fs::path& directory) {
  save(directory / "index", "empty", {});
  save(directory / "index", "none", bytes_of(R"({"models": []})"));
  save(directory / "index", "two", bytes_of(R"({"models": [
    {"weights": "0123456789abcdef", "vocabulary": "fedcba9876543210", "name": "a",
     "path": "/dev/null", "size": 0, "backend": "exact"},
    {"weights": "1", "vocabulary": "2", "name": "", "path": "x.gguf",
     "size": 18446744073709551615, "backend": "llama"}]})"));
}

void make_dictionary_seeds(const fs::path& directory) {
  const Bytes text = bytes_of("an opening\nof lines\n");
  std::string many;
  for (int i = 0; i < 50; ++i) many += "a line of the sample\n";
  save(directory / "dictionary", "plain", codec::plain_dictionary("n", text)->serialize());
  save(directory / "dictionary", "all",
       codec::Dictionary({"name", text, bytes_of(many), {1, 2, 3}, {4, 5}}).serialize());
}

// Whole ones, and what adapter_fuzz puts the beginning and the checksum to.
void make_adapter_seeds(const std::string& model_path, const fs::path& directory) {
  const auto model = weights::Weights::load(model_path, {}, 1);
  const weights::PackedMatrix from =
      weights::in_format(model->layers()[0].matrices.key, weights::Format::kS8);
  weights::PackedMatrix to(weights::Format::kS8, from.blocks * exact::kBlock, from.outputs);
  std::memcpy(to.tile(0), from.tile(0), from.tile_bytes * from.tiles);
  std::vector<weights::S8Block> row(from.blocks);
  weights::unpack(from, 0, std::span<weights::S8Block>(row));
  for (std::int8_t& value : row[0].q) value = static_cast<std::int8_t>(value > 0 ? value - 1 : 3);
  weights::pack(std::span<const weights::S8Block>(row), 0, to.tile(0));
  weights::Adapter adapter(model->fingerprint());
  save(directory / "adapter", "empty", adapter.serialize());
  adapter.add(*model, {0, weights::MatrixName::kKey}, to);
  const Bytes whole = adapter.serialize();
  save(directory / "adapter", "whole", whole);
  save(directory / "adapter", "middle", Bytes(whole.begin() + 13, whole.end() - 8));
}

// What frame_fuzz takes: method, raw size, payload.
Bytes frame_seed(const format::Frame& frame, const Bytes& data) {
  Bytes seed = {static_cast<std::uint8_t>(frame.method), static_cast<std::uint8_t>(data.size()),
                static_cast<std::uint8_t>(data.size() >> 8)};
  seed.insert(seed.end(), frame.payload.begin(), frame.payload.end());
  return seed;
}

// Frames that use the model, which an encoder does not choose where a random model is of no help.
void make_model_seeds(const codec::LoadedModel& model, const Bytes& data, const std::string& name,
                      const fs::path& directory) {
  const auto encode = [&](int lanes, mix::Sources experts) {
    codec::ModelledFrame frame = codec::cut_frame(data, lanes, model, nullptr);
    codec::RecordStream stream(frame, model.vocabulary());
    model.scheduler().run(stream, {});
    return codec::FrameEncoder(frame, model.vocabulary(), experts).finish();
  };
  const format::ModelRecord record = api::ModelSource::record_of(model);
  for (const auto& [method, experts] : {std::pair{format::Method::kLlm, mix::Sources::kLlm},
                                        std::pair{format::Method::kMixed, mix::Sources::kAll}}) {
    const std::string kind = name + "-" + format::method_name(method);
    const format::Frame frame{method, data.size(), encode(2, experts)};
    MemorySink sink;
    container::ArchiveWriter writer(sink);
    for (int i = 0; i < 2; ++i) writer.add(frame, data, &record);
    writer.finish();
    save(directory / "parser", kind, sink.bytes());
    save_archive(directory, kind, sink.bytes());
    save(directory / "decompress", kind, sink.bytes());
    save(directory / "frame", kind, frame_seed(frame, data));
  }
}

// A short text, which the encoder does choose the model for where nothing else is allowed.
void make_short_seed(const Model& model, const Bytes& data, const std::string& name,
                     const fs::path& directory) {
  WriteOptions options;
  options.experts = Experts::kLlm;
  const Bytes archive = Compressor(model, options).compress(data);
  save(directory / "decompress", name + "-short", archive);
  Bytes seed = {static_cast<std::uint8_t>(format::Method::kLlm), 0xFF, 0xFF};
  seed.insert(seed.end(), archive.begin() + format::kShortOverhead, archive.end());
  save(directory / "frame", name + "-short", seed);
}

void make_plain_seeds(const Model& model, const Bytes& data, Experts experts,
                      const std::string& name, const fs::path& directory) {
  WriteOptions options;
  options.experts = experts;
  const Bytes whole = archive_of(model, data, experts, 0);
  Bytes cut = archive_of(model, data, experts, 20);
  save(directory / "parser", name, cut);
  save_archive(directory, name, whole);
  save_archive(directory, name + "-frames", cut);
  save(directory / "decompress", name, whole);
  save(directory / "decompress", name + "-frames", cut);
  cut.insert(cut.end(), whole.begin(), whole.end());
  save(directory / "parser", name + "-joined", cut);
  cut.resize(cut.size() + 5);
  save_archive(directory, name + "-padded", cut);
  save(directory / "decompress", name + "-compact", Compressor(model, options).compress(data));
  codec::FrameCodec codec(nullptr);
  const auto same = experts;
  save(directory / "frame", name, frame_seed(codec.encode(data, {same, 0}), data));
  save(directory / "frame", name + "-compact",
       frame_seed(codec.encode_compact(data, same).frame, data));
  Bytes plain = {static_cast<std::uint8_t>(experts), 3};
  plain.insert(plain.end(), data.begin(), data.end());
  save(directory / "round_trip", name, plain);
}

void make_seeds(const std::string& model_path, const fs::path& directory) {
  ModelOptions options;
  options.model = model_path;
  options.threads = 1;
  const Model model(options);
  Bytes noise(300);
  std::uint32_t state = 1;
  for (std::uint8_t& byte : noise) byte = (state = state * 1664525 + 1013904223) >> 24;
  const Bytes texts[] = {{},
                         bytes_of("a"),
                         bytes_of("the end of the line is not the end of the text\nand so on\n"),
                         bytes_of(std::string(200, ' ') + "it was <|im_end|> \xff\xc3"),
                         noise};
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    const std::string name = std::to_string(i);
    for (const Experts experts : {Experts::kCm, Experts::kCmFast}) {
      make_plain_seeds(model, texts[i], experts, name + "-" + to_string(experts), directory);
    }
    if (i != 0)
      make_model_seeds(*Internals::source(model).for_writing(), texts[i], name, directory);
    if (i != 0) make_short_seed(model, texts[i], name, directory);
  }
  make_index_seeds(directory);
  make_dictionary_seeds(directory);
  make_adapter_seeds(model_path, directory);
  for (const std::uint8_t experts : {0, 1}) {
    Bytes plain = {experts, 3};
    plain.insert(plain.end(), texts[2].begin(), texts[2].end());
    save(directory / "round_trip", "model-" + std::to_string(experts), plain);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: make_seeds MODEL.gguf DIRECTORY\n", stderr);
    return 2;
  }
  try {
    make_seeds(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_seeds: %s\n", error.what());
    return 1;
  }
  return 0;
}
