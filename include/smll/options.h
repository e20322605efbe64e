// What callers can choose, and what they are told while smll works.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "smll/dictionary.h"
#include "smll/error.h"
#include "smll/export.h"

namespace smll {

// What computes the model. kExact gives the same bits on every machine; kLlama runs any GGUF that
// llama.cpp reads, but its archives only open with the same build, threads and device, and is there
// only where smll was built with llama.cpp (else Error(kUsage)).
enum class Backend : std::uint8_t { kExact = 0, kLlama = 1 };

// Which methods a writer may choose from.
enum class Experts : std::uint8_t {
  kAll = 0,     // the smallest of all methods
  kLlm = 1,     // the language model alone
  kCm = 2,      // context models, zstd or stored; never needs a model
  kCmFast = 3,  // the fast context models, zstd or stored
};

inline constexpr int kMinLevel = 1;
inline constexpr int kMaxLevel = 9;
inline constexpr int kDefaultLevel = 6;
inline constexpr int kDefaultWindow = 2048;  // tokens

// Which model to use and how to run it.
struct ModelOptions {
  // A GGUF file's path, a known model's name, or hf:REPO:GLOB. "" means the environment's
  // SMLL_MODEL or, where that is unset, the default model when writing and the archive's own model
  // when reading.
  std::string model;
  Backend backend = Backend::kExact;
  std::string isa;  // "", "scalar", "avx2", "avx512", "amx" or "neon"; "" lets the machine choose
  // Where the exact backend computes: "" or "cpu"; "cuda" or "cuda:N", an NVIDIA GPU; "auto", a GPU
  // where there is one, else the CPU. Archives are the same. What learns computes on the CPU.
  std::string device;
  int threads = 0;              // 0: one per core
  int window = kDefaultWindow;  // tokens of context; readers take the archive's
  // The model learns from each frame while it codes it, with one lane: smaller by about 2 %, and
  // takes two to four times as long. kExact only; readers do as the archive says.
  bool learns = false;
  // What every text begins with, as it were; kExact only. Readers find the one that an archive
  // names by themselves where it is in the cache; what compress() gives as the compact form is read
  // with the same one.
  std::optional<Dictionary> dictionary;
  // Get the default model from its package when writing needs it and it is not in the cache.
  bool download = true;
  // Told, once each, what a user should know (a download, a set-up that differs), as printable()
  // text. Called by the thread that needs the model, which holds no lock of smll's. May be empty.
  std::function<void(const std::string&)> notice;
};

// What one Writer or Reader, or one call with many items, has done so far. Such a call counts bytes
// and items only: what was given of all items that are done, and what came of those without error.
struct Stats {
  std::uint64_t raw_bytes = 0;      // uncompressed side
  std::uint64_t archive_bytes = 0;  // compressed side
  std::uint64_t tokens = 0;         // coded with the model
  std::uint64_t frames = 0;
  std::uint64_t damaged_frames = 0;  // left out with ReadOptions::keep_going
  std::uint64_t padding = 0;         // zero bytes passed over behind archives read
  double model_seconds = 0;          // wall time inside the model
  int lanes = 0;                     // the most that a frame had
  // Tokens that were fed to the model before they were known, in frames decoded in one lane, and
  // those of them that proved right. They change no data; how many there are depends on what is
  // decoded at the same time.
  std::uint64_t guesses = 0, guesses_right = 0;
  std::map<std::string, std::uint64_t> methods;  // frames of each method
  std::uint64_t items = 0;                       // of many, with or without error
};

// Called now and then from the thread that called smll; may throw to cancel.
using Progress = std::function<void(const Stats&)>;

struct WriteOptions {
  Experts experts = Experts::kAll;
  int lanes = 0;                 // 1..32; 0: from each frame's size
  std::uint64_t frame_size = 0;  // largest frame in bytes; 0: 1 MiB, or 4 with kCmFast
  // Of the frames that a GPU helps to make, the CPU decodes the first and every 64th: one that it
  // reads otherwise is Error(kModel).
  bool verify = true;
  Progress progress;
};

// Memory that reading may take unless set otherwise: enough for what is written with the default
// model at any level, twice over.
inline constexpr std::uint64_t kDefaultMaxMemory = std::uint64_t{4} << 30;

// What data that comes from others may cost; where more is needed, reading ends with
// Error(kMemory). 0: no limit. A few bytes may be the code of very many, and may ask for much
// memory and time.
struct Limits {
  std::uint64_t max_bytes = 0;  // that are given
  // Bytes that decoding takes besides the model's weights and the data that was given: tables,
  // contexts, what a model learns, what a dictionary knows. Refused before they are allocated.
  // Fewer frames are decoded at the same time where all together would need more.
  std::uint64_t max_memory = kDefaultMaxMemory;
  // Wall time of decoding. Neither waiting for the source nor loading a model counts.
  double max_seconds = 0;
};

// Bytes [start, start + length) of the uncompressed data.
struct Range {
  std::uint64_t start = 0;
  std::uint64_t length = UINT64_MAX;
};

struct ReadOptions : Limits {
  std::optional<Range> range;
  // Leave damaged frames out and go on; each is reported to `on_damage`.
  bool keep_going = false;
  std::function<void(const Error&)> on_damage;
  Progress progress;
};

// What a level of 1 (fastest) to 9 (smallest) stands for; sets experts, lanes and window (the
// manual has the table). Throws Error(kUsage) for another level.
SMLL_API void apply_level(int level, WriteOptions& write, ModelOptions& model);

// Whether a model may learn with these: the exact backend's, and not where several lanes are asked
// for.
SMLL_API bool can_learn(const WriteOptions& write, const ModelOptions& model);

// Names as the command line spells them: "exact", "llama"; "all", "llm", "cm", "cm-fast".
// The parsers throw Error(kUsage) for an unknown name.
SMLL_API std::string to_string(Backend backend);
SMLL_API std::string to_string(Experts experts);
SMLL_API Backend parse_backend(const std::string& name);
SMLL_API Experts parse_experts(const std::string& name);

}  // namespace smll
