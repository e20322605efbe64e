// smll compresses text with a language model.
//
//   smll::Compressor smll{smll::Model{}};            // the default model, loaded when first needed
//   smll::Bytes small = smll.compress("To be, or not to be");
//   smll::Bytes text = smll.decompress(small);
//
// Files and streams go through Writer and Reader. Every function throws smll::Error and nothing
// else of its own; memory that runs out may also throw std::bad_alloc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smll/error.h"
#include "smll/export.h"
#include "smll/io.h"
#include "smll/options.h"

namespace smll {

// What a model's file, or where smll got it, says about it. Texts are as they stand in the file:
// printable() shows them. "" or 0: nothing says it.
struct ModelFacts {
  std::string architecture;           // "llama", "gemma3", ...
  std::string type;                   // of most weights: "Q4_1", "Q4_K - Medium", ...
  std::string licence;                // its name
  std::string terms;                  // where the licence stands, where the model has its own
  std::string source;                 // where the model comes from
  std::uint64_t size = 0;             // of the file, bytes
  std::uint64_t parameters = 0;       // weights
  std::uint64_t vocabulary = 0;       // tokens
  std::uint64_t trained_context = 0;  // tokens
};

// What a loaded model says about itself. Names are as they stand in files: printable() shows them.
struct ModelInfo {
  std::string name;
  std::string path;
  std::string isa;     // instruction set in use
  std::string device;  // "cpu", or the number and name of the GPU that computes
  std::string set_up;  // what the results depend on besides the model; "" with Backend::kExact
  // Of weights and vocabulary, as the backend sees them: models with the same one are the same.
  std::uint64_t fingerprint = 0;
  std::uint32_t arithmetic = 0;  // version of the exact arithmetic
  int window = 0;                // tokens
  Backend backend = Backend::kExact;
  std::string no_learning;  // why it cannot learn from what it codes; "" when it can
  ModelFacts facts;
};

// A handle on a model. Copies share it. The file is found and loaded only when some data needs it,
// so making one costs nothing; then it is kept, and a file or an environment that changes later is
// for new handles only. May be used from many threads.
class SMLL_API Model {
 public:
  explicit Model(ModelOptions options = {});

  // Loads now instead of at first use. Throws Error(kModel).
  void load() const;
  // The model that was loaded last, or that load() would give; empty while none is loaded.
  std::optional<ModelInfo> info() const;
  const ModelOptions& options() const;

 private:
  friend struct Internals;
  struct State;
  std::shared_ptr<State> state_;
};

// What came of one of many: its bytes, or why there are none.
struct Result {
  Bytes bytes;                 // empty where there is an error
  std::optional<Error> error;  // as the single call throws it; Error(kMemory) for std::bad_alloc
};

// Compresses texts held in memory. Made once; may be used from many threads. The options' progress
// is called by each function in its caller's thread.
class SMLL_API Compressor {
 public:
  explicit Compressor(Model model = Model(), WriteOptions options = {});
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // Up to kCompactLimit bytes become a form that names no model and adds 1 byte to what the model
  // codes, 2 to what needs none: whoever reads it must use the same model and dictionary. Longer
  // data becomes a file, as Writer writes it.
  Bytes compress(ByteView data) const;
  Bytes compress(std::string_view text) const;

  // Takes all forms; never downloads a model. Throws Error(kData) for damaged data, Error(kModel)
  // for another model's and Error(kMemory) for what passes a limit.
  Bytes decompress(ByteView archive, const Limits& limits = {}) const;

  // Many at once: one result for each item, in order, equal to what the single call gives or
  // throws. An item that fails hurts none of the others, and limits count for each by itself. A
  // model that compressing cannot have is looked for once; the items that need it have the
  // Error(kModel). `progress` takes the place of the options'; both are called in the caller's
  // thread, now and then and when all is done, with Stats whose `items`, `raw_bytes` and
  // `archive_bytes` count the items that are done. What progress throws ends the call, and nothing
  // else of smll's does.
  std::vector<Result> compress_many(std::span<const ByteView> texts,
                                    const Progress& progress = {}) const;
  std::vector<Result> compress_many(std::span<const std::string_view> texts,
                                    const Progress& progress = {}) const;
  std::vector<Result> decompress_many(std::span<const ByteView> archives, const Limits& limits = {},
                                      const Progress& progress = {}) const;

  const Model& model() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Largest data, in bytes, that Compressor::compress gives a form for memory.
inline constexpr std::size_t kCompactLimit = (std::size_t{1} << 16) - 1;

// Writes one archive to `sink`, frame by frame, with bounded memory. One thread at a time. Once a
// call has thrown, every later one throws the same, and the archive stays incomplete.
class SMLL_API Writer {
 public:
  // `sink` must outlive the writer.
  Writer(Model model, WriteOptions options, Sink& sink);
  ~Writer();  // without finish(), the archive is left incomplete

  // Holds up to 64 MiB back, to find what they repeat, unless WriteOptions::frame_size is set.
  void write(ByteView data);
  // Codes what is held back instead of waiting for more: for where the input pauses. Ends no frame.
  void catch_up();
  // Makes everything written so far readable at the other end, at the cost of a shorter frame.
  void flush();
  // Ends the archive. Calls after it throw Error(kUsage).
  void finish();

  const Stats& stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads archives, one after another where several were concatenated. One thread at a time. Once a
// read has thrown, every later one throws the same.
class SMLL_API Reader {
 public:
  // `source` must outlive the reader. Where it is seekable and has an index, a range or a damaged
  // frame costs only the frames it touches.
  Reader(Model model, ReadOptions options, Source& source);
  ~Reader();

  // Gives up to out.size() bytes, at least one unless the data ends; 0 at the end, which is only
  // reached when everything read was whole. Throws Error(kData) where it was not.
  std::size_t read(std::span<std::uint8_t> out);

  const Stats& stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A frame as `list` sees it.
struct FrameInfo {
  std::string method;
  std::uint64_t raw_size = 0;        // bytes
  std::uint64_t stored_size = 0;     // bytes, with its headers
  std::uint64_t archive_offset = 0;  // where its record starts in the source
};

// What an archive says about itself, without decoding any frame. Its model's name may be any bytes:
// printable() shows it.
struct ArchiveInfo {
  std::uint64_t archives = 0;  // concatenated ones
  std::uint64_t raw_size = 0;
  std::uint64_t archive_size = 0;
  std::uint64_t padding = 0;  // bytes of the size that are zeros behind archives
  bool needs_model = false;
  std::string model_name;         // of the last model record; these five are set when needs_model
  std::uint64_t fingerprint = 0;  // ModelInfo::fingerprint
  int window = 0;                 // tokens
  std::uint32_t arithmetic = 0;
  Backend backend = Backend::kExact;
  std::optional<std::uint64_t> dictionary;  // its identity, where the record names one
  std::string dictionary_name;              // any bytes, too
  std::vector<FrameInfo> frames;
};

// Throws Error(kData) when the source is not a whole archive.
SMLL_API ArchiveInfo list(Source& source);

// Where a frame's data is in what all archives of a source decompress to.
struct FrameSpan {
  std::uint64_t start = 0;  // bytes
  std::uint64_t size = 0;   // bytes
};

// The frames that hold data, in order. Of a seekable source only the indexes at the archives' ends
// are read, where every archive has one; they are believed until the frames are. Throws
// Error(kData) as `list` does where one has none.
SMLL_API std::vector<FrameSpan> frame_spans(Source& source);

// Bytes, at most, that decoding takes besides the model, a frame at a time, as Limits::max_memory
// counts them. Reads all of the source, decodes nothing, and loads the model where a frame needs
// one. Throws what a Reader would.
SMLL_API std::uint64_t decoding_memory(const Model& model, Source& source);

// The first bytes of every archive file; a reader can tell smll files by them.
inline constexpr std::uint8_t kFileMagic[] = {0xF3, 'm', 'l'};

// The version of this library, "major.minor.patch".
SMLL_API const char* version();

// The newest versions that this library writes, of what its archives depend on. It reads those and
// all released before.
struct Versions {
  int format = 0;       // of the bytes of archives (docs/spec/format.md)
  int predictions = 0;  // of context models and mixing (docs/design/mixing.md)
  int arithmetic = 0;   // of the exact backend (docs/design/exactness.md)
  int learning = 0;     // of its arithmetic where the model learns
};
SMLL_API Versions versions();

}  // namespace smll
