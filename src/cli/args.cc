#include "cli/args.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>

#include "smll/smll.h"

namespace smll::cli {
namespace {

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
  int verbosity = 0;
  int level = kDefaultLevel;
  std::string range, backend, experts, frame_size, flush, learns;
  std::string memory, max_output, max_time;
  int lanes = -1, window = 0;
  bool progress = false, no_progress = false;
};

void add_actions(CLI::App& app, Raw& raw) {
  app.add_flag("-z,--compress", raw.compress, "Compress (the default)");
  app.add_flag("-d,--decompress,--uncompress", raw.decompress, "Decompress");
  app.add_flag("-t,--test", raw.test, "Test archives: decode, write nothing");
  app.add_flag("-l,--list", raw.list, "List what archives say about themselves");
}

void add_output(CLI::App& app, Args& args) {
  app.add_flag("-c,--stdout,--to-stdout", args.to_stdout, "Write to standard output");
  app.add_option("-o,--output", args.output, "Write to this file")->take_last();
  app.add_flag(
      "-f,--force", args.force,
      "Overwrite files, follow links, write binary to a terminal; with -dc: copy what is no "
      "archive");
  // As zstd's: the last of both counts.
  app.add_flag_callback(
         "-k,--keep", [&args] { args.remove_source = false; }, "Keep the input files (the default)")
      ->trigger_on_parse();
  app.add_flag_callback(
         "--rm", [&args] { args.remove_source = true; },
         "Remove each input file once its output is safe")
      ->trigger_on_parse();
  app.add_flag("-r,--recursive", args.recursive, "Work on the files of directories");
}

void add_tuning(CLI::App& app, Args& args, Raw& raw) {
  // Of several levels the last one counts.
  for (int level = kMinLevel; level <= kMaxLevel; ++level) {
    const std::string name = "-" + std::to_string(level);
    app.add_flag_callback(name, [&raw, level] { raw.level = level; })
        ->trigger_on_parse()
        ->group("");
  }
  app.add_flag_callback(
         "--fast", [&raw] { raw.level = kMinLevel; }, "Level 1: no language model")
      ->trigger_on_parse()
      ->group("Level: -1 (fastest) .. -9 (smallest), default -6");
  app.add_flag_callback(
         "--best", [&raw] { raw.level = kMaxLevel; }, "Level 9: long window, one lane, learning")
      ->trigger_on_parse()
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
      ->check(CLI::Range(2, 1 << 20));
  app.add_flag("--learn,!--no-learn", raw.learns,
               "The model learns from what it codes (smaller, slower, one lane)")
      ->check(CLI::IsMember({"true", "false"}))
      ->take_last();
  app.add_flag("--verify,!--no-verify", args.write.verify,
               "Of what a GPU makes, decode some frames on the CPU (the default)")
      ->check(CLI::IsMember({"true", "false"}))
      ->take_last();
  app.add_option("--frame-size", raw.frame_size, "Largest frame in bytes")->take_last();
  app.add_flag("--flush{1}", raw.flush, "Make input readable when it pauses for 1 (or =N) seconds");
}

void add_model(CLI::App& app, Args& args, Raw& raw) {
  app.add_option_function<std::string>(
         "-D,--dictionary",
         [&args](const std::string& spec) { args.model.dictionary = Dictionary::find(spec); },
         "What every text begins with: a dictionary's file, name or identity, or any text")
      ->take_last()
      ->group("Model");
  app.add_option("--model", args.model.model, "Model: a GGUF file, a known name or hf:REPO:GLOB")
      ->take_last()
      ->group("Model");
  app.add_option("--backend", raw.backend, "exact or llama")->take_last()->group("Model");
  app.add_option("--isa", args.model.isa, "Instruction set of the exact backend")
      ->take_last()
      ->check(CLI::IsMember({"scalar", "avx2", "avx512", "amx", "neon"}))
      ->envname("SMLL_ISA")
      ->group("Model");
  app.add_option("--device", args.model.device, "Where to compute: auto, cpu, cuda or cuda:N")
      ->take_last()
      ->envname("SMLL_DEVICE")
      ->group("Model");
}

void add_reporting(CLI::App& app, Args& args, Raw& raw) {
  app.add_option("--range", raw.range, "With -d: only START:LENGTH of the uncompressed bytes")
      ->take_last();
  app.add_flag("--keep-going", args.keep_going,
               "With -d or -t: leave damaged frames out and go on");
  app.add_option(
         "-M,--memory,--memlimit", raw.memory,
         "With -d or -t: most memory that decoding may take besides the model's (4G; 0: any)")
      ->take_last();
  app.add_option("--max-output", raw.max_output,
                 "With -d or -t: most bytes that an archive may hold (0: any)")
      ->take_last();
  app.add_option("--max-time", raw.max_time,
                 "With -d or -t: most seconds that decoding an archive may take")
      ->take_last();
  app.add_option("--stats", args.stats_path, "Write one JSON object of statistics to this file")
      ->take_last();
  // As gzip's: the last of -q and -v counts.
  app.add_flag_callback(
         "-q,--quiet", [&raw] { raw.verbosity = std::min(raw.verbosity, 0) - 1; },
         "Say only what went wrong; twice: nothing")
      ->trigger_on_parse();
  app.add_flag_callback(
         "-v,--verbose", [&raw] { raw.verbosity = std::max(raw.verbosity, 0) + 1; }, "Say more")
      ->trigger_on_parse();
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

void set_limits(const Raw& raw, Args& args) {
  const bool reads = args.action == Action::kDecompress || args.action == Action::kTest;
  if (!reads && !(raw.max_output.empty() && raw.max_time.empty())) {
    throw Error(ErrorKind::kUsage, "--max-output and --max-time go with -d or -t");
  }
  // zstd and xz take -M for compression, too, where nothing of an archive is believed.
  if (!raw.memory.empty()) args.limits.max_memory = parse_size(raw.memory);
  if (!raw.max_output.empty()) args.limits.max_bytes = parse_size(raw.max_output);
  if (!raw.max_time.empty()) args.limits.max_seconds = parse_seconds(raw.max_time);
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
  set_limits(raw, args);
  args.verbosity = raw.verbosity;
  if (raw.progress) args.progress = true;
  if (raw.no_progress) args.progress = false;
  if (args.to_stdout && !args.output.empty() && args.output != "-") {
    throw Error(ErrorKind::kUsage, "-c and -o exclude each other");
  }
  if (args.output == "-") args.to_stdout = true;
  if (args.inputs.empty()) args.inputs.push_back("-");
  if (!args.output.empty() && args.inputs.size() > 1) {
    throw Error(ErrorKind::kUsage, "-o takes one input; use -c to join several");
  }
}

// Files and unknown options are told apart by add_files(): CLI11 would take a file named "[a,b]"
// for two.
class Formatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: smll [OPTION]... [FILE]...\n"
           "Without a file, or with -, standard input. What follows -- is a file.\n";
  }
};

bool takes_value(const CLI::Option* option) {
  return option && option->get_items_expected_min() > 0;
}

// CLI11 reads -22 as -2 -2, and takes the next argument where the value behind "=" is missing.
void check_spelling(const CLI::App& app, const std::string& argument) {
  const bool is_long = argument.starts_with("--");
  if (is_long && argument.ends_with('=')) {
    throw Error(ErrorKind::kUsage, argument + " needs a value");
  }
  if (is_long || !argument.starts_with('-')) return;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (auto at = argument.begin() + 1; at != argument.end(); ++at) {
    if (is_digit(*at)) {
      const std::string level(at, std::find_if_not(at, argument.end(), is_digit));
      if (level.size() != 1 || level == "0") {
        throw Error(ErrorKind::kUsage, "there is no level " + level + ": levels are -1 to -9");
      }
    } else if (takes_value(app.get_option_no_throw(std::string("-") + *at))) {
      return;
    }
  }
}

[[noreturn]] void throw_unknown(const std::string& option) {
  std::string hint = "smll --help lists all";
  if (option == "--ultra") hint = "levels are -1 to -9, without another option";
  if (option.starts_with("-b")) hint = "smll bench compares sizes and speeds";
  throw Error(ErrorKind::kUsage, "unknown option " + option + "; " + hint);
}

void add_files(const std::vector<std::string>& left_over, Args& args) {
  for (const std::string& argument : left_over) {
    if (argument.starts_with('-') && argument != "-") throw_unknown(argument);
    args.inputs.push_back(argument);
  }
}

// Throws CLI::ParseError.
void parse(CLI::App& app, const std::vector<std::string>& arguments, Args& args) {
  const auto options_end = std::find(arguments.begin(), arguments.end(), "--");
  for (auto at = arguments.begin(); at != options_end; ++at) check_spelling(app, *at);
  std::vector<std::string> reversed(std::make_reverse_iterator(options_end), arguments.rend());
  app.parse(std::move(reversed));
  add_files(app.remaining(), args);
  if (options_end != arguments.end()) {
    args.inputs.insert(args.inputs.end(), options_end + 1, arguments.end());
  }
}

}  // namespace

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

Range parse_range(const std::string& text) {
  Range range;
  const std::size_t colon = text.find(':');
  range.start = parse_size(text.substr(0, colon));
  if (colon != std::string::npos && colon + 1 < text.size()) {
    range.length = parse_size(text.substr(colon + 1));
  }
  return range;
}

// With --verbose anywhere beside it also what archives depend on.
std::string version_text(int argc, char** argv) {
  std::string text = std::string("smll ") + version();
  const auto is_verbose = [](const std::string& word) {
    return word == "-v" || word == "--verbose" || word == "-vV" || word == "-Vv";
  };
  if (std::none_of(argv + 1, argv + argc, is_verbose)) return text;
  const Versions known = versions();
  return text + fmt::format(
                    "\narchives: format {} (those of versions before 1.0 are read)\n"
                    "predictions: {}\narithmetic: {}, learning {}",
                    known.format, known.predictions, known.arithmetic, known.learning);
}

std::optional<int> parse_args(int argc, char** argv, Args& args) {
  CLI::App app{
      "smll compresses text with a language model.\n"
      "  smll FILE...      FILE becomes FILE.smll, FILE is kept\n"
      "  smll -d FILE.smll and back\n"
      "  smll models       lists, gets and describes models (smll models --help)\n"
      "  smll info FILE    says what decoding an archive will need\n"
      "  smll explain FILE -o PAGE.html  shows what each token of a text costs\n"
      "  smll bench        compares with other compressors"};
  app.name("smll");
  Raw raw;
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  if (name == "unsmll" || name == "smllcat") raw.decompress = true;
  // As zstdcat, which is zstd -dcf.
  if (name == "smllcat") args.to_stdout = args.force = true;
  app.set_version_flag("-V,--version", [&] { return version_text(argc, argv); });
  app.formatter(std::make_shared<Formatter>());
  app.allow_extras();
  add_actions(app, raw);
  add_output(app, args);
  add_tuning(app, args, raw);
  add_model(app, args, raw);
  add_reporting(app, args, raw);
  const CLI::Validator not_empty(
      [](const std::string& value) { return value.empty() ? "needs a value" : ""; }, "");
  for (CLI::Option* option : app.get_options(takes_value)) option->check(not_empty);
  try {
    parse(app, std::vector<std::string>(argv + 1, argv + argc), args);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    throw Error(ErrorKind::kUsage, error.what());
  }
  put_together(raw, args);
  return std::nullopt;
}

}  // namespace smll::cli
