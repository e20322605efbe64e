// The command line of `smll`, parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smll/options.h"

namespace smll::cli {

enum class Action { kCompress, kDecompress, kTest, kList };

struct Args {
  Action action = Action::kCompress;
  std::vector<std::string> inputs;  // "-" is standard input
  std::string output;               // -o; "-" is standard output
  bool to_stdout = false;
  bool force = false;
  bool remove_source = false;
  bool recursive = false;
  bool keep_going = false;
  int verbosity = 0;             // -1 with -q, -2 with -qq
  std::optional<bool> progress;  // --progress, --no-progress; unset: when stderr is a terminal
  double flush_seconds = 0;      // 0: only at the end
  std::string stats_path;        // "-" is standard output
  std::optional<Range> range;
  Limits limits;  // of reading
  WriteOptions write;
  ModelOptions model;
};

// Handles --help and --version itself. Returns the exit status where the program should stop at
// once. Throws Error(kUsage).
std::optional<int> parse_args(int argc, char** argv, Args& args);

// A number of bytes that may end in K, M or G (1024-based). Throws Error(kUsage).
std::uint64_t parse_size(const std::string& text);

// "START:LENGTH", "START:" or "START"; numbers may end in K, M or G (1024-based).
// Throws Error(kUsage).
Range parse_range(const std::string& text);

}  // namespace smll::cli
