#include "cli/args.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>

#include "smll/smll.h"

namespace smll::cli {
namespace {

std::uint64_t parse_size(const std::string& text) {
  std::size_t used = 0;
  std::uint64_t value = 0;
  try {
    if (text.empty() || text[0] < '0' || text[0] > '9') throw std::invalid_argument(text);
    value = std::stoull(text, &used);
  } catch (const std::exception&) {
    throw Error(ErrorKind::kUsage, "'" + text + "' is not a number of bytes");
  }
  int shift = 0;
  const std::string unit = text.substr(used);
  if (unit == "K" || unit == "KiB")
    shift = 10;
  else if (unit == "M" || unit == "MiB")
    shift = 20;
  else if (unit == "G" || unit == "GiB")
    shift = 30;
  else if (!unit.empty())
    throw Error(ErrorKind::kUsage, "'" + text + "' has an unknown unit");
  if (value > (UINT64_MAX >> shift)) throw Error(ErrorKind::kUsage, "'" + text + "' is too large");
  return value << shift;
}

double parse_seconds(const std::string& text) {
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !(seconds > 0) || seconds > 86400) {
    throw Error(ErrorKind::kUsage, "'" + text + "' is not a number of seconds");
  }
  return seconds;
}

// What options say before they are put together: a level sets defaults that others override.
struct Raw {
  bool decompress = false, test = false, list = false, compress = false;
  bool quiet = false;
  int verbose = 0;
  int level = kDefaultLevel;
  std::string range, backend, experts, frame_size, flush, learns;
  int lanes = -1, window = 0;
  bool progress = false, no_progress = false;
  bool keep = false;
};

void add_actions(CLI::App& app, Args& args, Raw& raw) {
  app.add_flag("-z,--compress", raw.compress, "Compress (the default)");
  app.add_flag("-d,--decompress,--uncompress", raw.decompress, "Decompress");
  app.add_flag("-t,--test", raw.test, "Test archives: decode, write nothing");
  app.add_flag("-l,--list", raw.list, "List what archives say about themselves");
  app.add_option("FILE", args.inputs, "Files; none or '-' reads standard input");
}

void add_output(CLI::App& app, Args& args, Raw& raw) {
  app.add_flag("-c,--stdout,--to-stdout", args.to_stdout, "Write to standard output");
  app.add_option("-o,--output", args.output, "Write to this file")->take_last();
  app.add_flag(
      "-f,--force", args.force,
      "Overwrite files, follow links, write binary to a terminal; with -dc: copy what is no "
      "archive");
  app.add_flag("-k,--keep", raw.keep, "Keep the input files (the default)");
  app.add_flag("--rm", args.remove_source, "Remove each input file once its output is safe");
  app.add_flag("-r,--recursive", args.recursive, "Work on the files of directories");
}

void add_tuning(CLI::App& app, Args& args, Raw& raw) {
  for (int level = kMinLevel; level <= kMaxLevel; ++level) {
    const std::string name = "-" + std::to_string(level);
    app.add_flag_callback(name, [&raw, level] { raw.level = level; })->group("");
  }
  app.add_flag_callback(
         "--fast", [&raw] { raw.level = kMinLevel; }, "Level 1: no language model")
      ->group("Level: -1 (fastest) .. -9 (smallest), default -6");
  app.add_flag_callback(
         "--best", [&raw] { raw.level = kMaxLevel; }, "Level 9: long window, one lane, learning")
      ->group("Level: -1 (fastest) .. -9 (smallest), default -6");
  app.add_option("-T,--threads", args.model.threads, "Threads (0: one per core)")
      ->take_last()
      ->check(CLI::Range(0, 1024));
  app.add_option("--experts", raw.experts, "all, llm, cm or cm-fast")->take_last();
  app.add_option("--lanes", raw.lanes, "Contexts that decode in parallel (0: from the size)")
      ->take_last()
      ->check(CLI::Range(0, 32));
  app.add_option("--window", raw.window, "Tokens of context a lane sees")
      ->take_last()
      ->check(CLI::Range(16, 1 << 20));
  app.add_flag("--learn,!--no-learn", raw.learns,
               "The model learns from what it codes (smaller, slower, one lane)")
      ->take_last();
  app.add_option("--frame-size", raw.frame_size, "Largest frame in bytes")->take_last();
  app.add_flag("--flush{1}", raw.flush, "Make input readable when it pauses for 1 (or =N) seconds");
}

void add_model(CLI::App& app, Args& args, Raw& raw) {
  app.add_option("--model", args.model.model, "Model: a GGUF file, a known name or hf:REPO:GLOB")
      ->take_last()
      ->group("Model");
  app.add_option("--backend", raw.backend, "exact or llama")->take_last()->group("Model");
  app.add_option("--isa", args.model.isa, "Instruction set of the exact backend")
      ->take_last()
      ->check(CLI::IsMember({"scalar", "avx2", "avx512", "amx", "neon"}))
      ->envname("SMLL_ISA")
      ->group("Model");
}

void add_reporting(CLI::App& app, Args& args, Raw& raw) {
  app.add_option("--range", raw.range, "With -d: only START:LENGTH of the uncompressed bytes")
      ->take_last();
  app.add_flag("--keep-going", args.keep_going,
               "With -d or -t: leave damaged frames out and go on");
  app.add_option("--stats", args.stats_path, "Write one JSON object of statistics to this file")
      ->take_last();
  app.add_flag("-q,--quiet", raw.quiet, "Say only what went wrong");
  app.add_flag("-v,--verbose", raw.verbose, "Say more");
  app.add_flag("--progress", raw.progress, "Show progress even when standard error is no terminal");
  app.add_flag("--no-progress", raw.no_progress, "Show no progress");
}

void set_action(const Raw& raw, Args& args) {
  if (raw.compress + raw.decompress + raw.test + raw.list > 1) {
    // gzip and zstd let -t and -l win over -d; so do scripts that always pass it.
    if (raw.compress || (raw.test && raw.list)) {
      throw Error(ErrorKind::kUsage, "-z, -d, -t and -l exclude each other");
    }
  }
  if (raw.decompress) args.action = Action::kDecompress;
  if (raw.test) args.action = Action::kTest;
  if (raw.list) args.action = Action::kList;
}

void put_together(const Raw& raw, Args& args) {
  apply_level(raw.level, args.write, args.model);
  set_action(raw, args);
  if (!raw.backend.empty()) args.model.backend = parse_backend(raw.backend);
  if (!raw.experts.empty()) args.write.experts = parse_experts(raw.experts);
  if (!raw.frame_size.empty()) args.write.frame_size = parse_size(raw.frame_size);
  if (!raw.flush.empty()) args.flush_seconds = parse_seconds(raw.flush);
  if (raw.lanes >= 0) args.write.lanes = raw.lanes;
  if (raw.window != 0) args.model.window = raw.window;
  if (!raw.learns.empty()) {
    args.model.learns = raw.learns == "true";
  } else if (!can_learn(args.write, args.model)) {
    args.model.learns = false;  // where the level's does not go with what was asked for
  }
  if (!raw.range.empty()) {
    if (args.action != Action::kDecompress) throw Error(ErrorKind::kUsage, "--range goes with -d");
    args.range = parse_range(raw.range);
  }
  if (args.keep_going && args.action != Action::kDecompress && args.action != Action::kTest) {
    throw Error(ErrorKind::kUsage, "--keep-going goes with -d or -t");
  }
  args.verbosity = raw.quiet ? -1 : raw.verbose;
  if (raw.progress) args.progress = true;
  if (raw.no_progress) args.progress = false;
  if (raw.keep) args.remove_source = false;
  if (args.to_stdout && !args.output.empty() && args.output != "-") {
    throw Error(ErrorKind::kUsage, "-c and -o exclude each other");
  }
  if (args.output == "-") args.to_stdout = true;
  if (args.inputs.empty()) args.inputs.push_back("-");
  if (!args.output.empty() && args.inputs.size() > 1) {
    throw Error(ErrorKind::kUsage, "-o takes one input; use -c to join several");
  }
}

}  // namespace

Range parse_range(const std::string& text) {
  Range range;
  const std::size_t colon = text.find(':');
  range.start = parse_size(text.substr(0, colon));
  if (colon != std::string::npos && colon + 1 < text.size()) {
    range.length = parse_size(text.substr(colon + 1));
  }
  return range;
}

std::optional<int> parse_args(int argc, char** argv, Args& args) {
  CLI::App app{
      "smll compresses text with a language model.\n"
      "  smll FILE...      FILE becomes FILE.smll, FILE is kept\n"
      "  smll -d FILE.smll and back\n"
      "  smll models       lists, gets and describes models (smll models --help)\n"
      "  smll explain FILE -o PAGE.html  shows what each token of a text costs\n"
      "  smll bench        compares with other compressors"};
  app.name("smll");
  Raw raw;
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  if (name == "unsmll" || name == "smllcat") raw.decompress = true;
  // As zstdcat, which is zstd -dcf.
  if (name == "smllcat") args.to_stdout = args.force = true;
  app.set_version_flag("-V,--version", std::string("smll ") + version());
  add_actions(app, args, raw);
  add_output(app, args, raw);
  add_tuning(app, args, raw);
  add_model(app, args, raw);
  add_reporting(app, args, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  put_together(raw, args);
  return std::nullopt;
}

}  // namespace smll::cli
